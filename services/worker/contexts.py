"""Makes the context of each attempt: parameters, rendered text, idempotency key, `ask`."""

import hashlib
from collections.abc import Callable
from typing import Any

from services.worker.account import Account
from services.worker.ask import UnitAsk
from services.worker.held import HeldShard
from services.worker.model_door import Caller, ModelDoor
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Context, Unit
from shared.capabilities.image_labels import without_images
from shared.database.shards import Tries
from shared.llm.purse import Purse
from shared.plans.render import CompiledTemplate, render


def context_of(
    run: StageRun, unit: Unit, attempt: int, replica: int, ask: UnitAsk | None
) -> Context:
    """Return what a subtask is told besides its unit."""
    name = f"{run.record.job_id}/{run.record.name}/{unit.index}/{replica}"
    return Context(
        params=run.spec.params,
        brief=run.record.brief,
        prompt=rendered(run, run.input, unit),
        instructions=run.instructions,
        output=run.spec.output,
        attempt=attempt,
        replica=replica,
        timeout_s=run.spec.timeout_s,
        idempotency_key=hashlib.sha256(name.encode()).hexdigest(),
        ask=ask,
        render=_renderer(run, unit) if ask and run.input else None,
    )


def ask_of(
    door: ModelDoor, run: StageRun, held: HeldShard, tries: Tries, purse: Purse,
    stopping: Callable[[], bool],
) -> UnitAsk:  # fmt: skip
    """Return the model door bound to one attempt of one unit (or of one pack)."""
    caller = Caller(
        job_id=run.record.job_id,
        project_id=run.job.project_id,
        weight=run.job.weight,
        small=run.job.small,
        retries=run.spec.retries,
        deadline_s=run.spec.timeout_s,
        failed=tries.by_code,
        stopped=lambda: held.halted or stopping(),
        purse=purse,
    )
    return UnitAsk(door, caller, Account())


def rendered(run: StageRun, template: CompiledTemplate | None, unit: Unit) -> str | None:
    """Return a template's text for a unit; None without a template. Images stand as labels."""
    if template is None:
        return None
    shown = without_images(unit, run.spec.params)
    return render(
        template, shown.rows, run.spec.unit.single_row, shown.key, run.one_row_tables,
        before=shown.before, after=shown.after,
    )  # fmt: skip


def _renderer(run: StageRun, unit: Unit) -> Callable[[list[dict[str, Any]]], str]:
    """Return a function that renders the input for a part of the unit's rows (folding)."""

    def render_part(rows: list[dict[str, Any]]) -> str:
        return rendered(run, run.input, Unit(unit.index, rows, key=unit.key)) or ""

    return render_part
