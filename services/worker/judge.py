"""Lets a model choose between replicas that differ."""

from typing import Any

import orjson

from services.worker.agree import Agreed, Rows, combine
from services.worker.ask import UnitAsk
from services.worker.capabilities.images import with_images
from services.worker.child_pool import raised
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Unit
from shared.capabilities.image_labels import without_images
from shared.contracts.json_values import canonical_json
from shared.domain.retry import Failure
from shared.llm.structured import Parsed, compile_validator, read_structured
from shared.prompts.worker import judge_messages


async def judge(
    ask: UnitAsk, run: StageRun, unit: Unit, checked: list[Rows | Failure]
) -> Agreed | Failure:
    """Return the answer chosen by the endpoint `judge`; no call where all good ones are alike."""
    good = [rows for rows in checked if not isinstance(rows, Failure)]
    different = list({canonical_json(rows): rows for rows in good}.values())
    if len(different) <= 1:
        return combine(checked, None)
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "integer", "enum": list(range(1, len(different) + 1))}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    messages = judge_messages(
        brief=run.record.brief,
        instructions=run.instructions or "",
        data=orjson.dumps(without_images(unit, run.spec.params).rows).decode(),
        attempts=[orjson.dumps(rows).decode() for rows in different],
    )
    try:
        messages = with_images(messages, unit.rows, run.spec.params)
        reply = await ask(messages, endpoint="judge", schema=schema)
    except Exception as error:  # noqa: BLE001 - what ends the call ends the attempt
        return _as_failure(error)
    found = read_structured(reply, compile_validator(schema))
    if not isinstance(found, Parsed):
        return Failure("no_agreement", f"The judge gave no choice: {found.detail}")
    winner = different[found.value["choice"] - 1]
    votes = sum(canonical_json(rows) == canonical_json(winner) for rows in good)
    return Agreed(winner, votes / len(checked))


def _as_failure(error: Exception) -> Failure:
    told: Any = raised(error)
    return Failure(
        told.code, told.detail, transient=told.transient, retry_after_s=told.retry_after_s,
        burns=told.burns, decided=told.decided, pause=told.pause, model=told.model,
    )  # fmt: skip
