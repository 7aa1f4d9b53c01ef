"""Every operation of the interface as the document tells it; a test holds it to the routes."""

from services.api.operations import (
    accounts,
    jobs,
    openai,
    records,
    results,
    service,
    tables,
    triggers,
    watching,
    webhooks,
    workflows,
)
from services.api.operations.parts import Operation

_GROUPS = (
    jobs,
    watching,
    results,
    records,
    tables,
    workflows,
    triggers,
    webhooks,
    openai,
    accounts,
    service,
)
OPERATIONS: tuple[Operation, ...] = tuple(
    operation for group in _GROUPS for operation in group.OPERATIONS
)
