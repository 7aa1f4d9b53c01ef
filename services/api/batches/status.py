"""The status of a batch from its record."""

from shared.database.batches import BatchRecord
from shared.domain.batch import BatchStatus, batch_status


def status_of(batch: BatchRecord) -> BatchStatus:
    """Return it as the package calls it."""
    return batch_status(
        batch.job_status,
        finish_as=batch.finish_as,
        early=(batch.finishing or {}).get("kind"),
        error_code=(batch.job_error or {}).get("code"),
    )
