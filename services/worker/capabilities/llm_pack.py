"""Several units in one call: matched by id, the missing asked again alone, poison isolated."""

from collections.abc import Sequence
from typing import Any

from services.worker.capabilities.llm_call import structured_call
from shared.capabilities.contract import Context, Returned, Unit
from shared.llm.packed import ITEMS, halves, match_packed, packed_schema
from shared.llm.structured import compile_validator
from shared.prompts.worker import packed_messages, worker_messages, worker_prefix

_HALVED = frozenset({"context_overflow", "bad_output", "truncated", "refused", "deadline"})
Ended = Returned | Exception
# Items are checked one by one afterwards, so that a bad one does not spoil its neighbours.
_LISTED = {"type": "object", "properties": {ITEMS: {"type": "array"}}, "required": [ITEMS]}


async def run_pack(units: Sequence[Unit], contexts: Sequence[Context]) -> list[Ended]:
    """Return one answer or exception per unit, in order."""
    by_id = {str(unit.index): context for unit, context in zip(units, contexts, strict=True)}
    answers = await _answers(tuple(by_id), by_id)
    return [answers[str(unit.index)] for unit in units]


async def _answers(ids: tuple[str, ...], contexts: dict[str, Context]) -> dict[str, Ended]:
    if len(ids) == 1:
        return {ids[0]: await _alone(contexts[ids[0]])}
    first = contexts[ids[0]]
    prefix = worker_prefix(brief=first.brief, instructions=first.instructions or "", packed=True)
    messages = packed_messages(prefix, {unit_id: contexts[unit_id].prompt or "" for unit_id in ids})
    try:
        answer = await structured_call(
            first, messages, packed_schema(first.output), accepted=_LISTED
        )
    except Exception as error:  # noqa: BLE001 - it becomes the outcome of units
        if getattr(error, "code", None) not in _HALVED:
            return dict.fromkeys(ids, error)
        left, right = halves(ids)  # one of them may be the reason
        return {**await _answers(left, contexts), **await _answers(right, contexts)}
    matched = match_packed(ids, answer.value)
    fits = compile_validator(first.output)
    found: dict[str, Ended] = {}
    for unit_id in ids:
        output: Any = matched.outputs.get(unit_id)
        if unit_id in matched.outputs and fits(output) is None:
            found[unit_id] = Returned(output, answer.raw)
        else:
            found[unit_id] = await _alone(contexts[unit_id])
    return found


async def _alone(context: Context) -> Ended:
    prefix = worker_prefix(brief=context.brief, instructions=context.instructions or "")
    messages = worker_messages(prefix, context.prompt or "")
    try:
        answer = await structured_call(context, messages, context.output)
    except Exception as error:  # noqa: BLE001 - it becomes the outcome of this unit
        return error
    return Returned(answer.value, answer.raw)
