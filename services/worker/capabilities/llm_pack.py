"""Several units in one call: matched by id, the missing asked again alone, poison isolated."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.worker.capabilities.images import BadImage, image_parts, packed_parts, with_parts
from services.worker.capabilities.llm_call import (
    Form,
    MissingContextError,
    form_of,
    structured_call,
    unit_call,
    unit_prefix,
)
from shared.capabilities.contract import Context, Returned, Unit
from shared.llm.packed import ITEMS, halves, match_packed, packed_schema
from shared.llm.structured import compile_validator
from shared.prompts.worker import packed_messages, worker_messages

_HALVED = frozenset({"context_overflow", "bad_output", "truncated", "refused", "deadline"})
Ended = Returned | Exception
Images = Mapping[str, list[dict[str, Any]]]  # the parts of each unit, by its id
# Items are checked one by one afterwards, so that a bad one does not spoil its neighbours.
_listed = compile_validator(
    {"type": "object", "properties": {ITEMS: {"type": "array"}}, "required": [ITEMS]}
)


async def run_pack(units: Sequence[Unit], contexts: Sequence[Context]) -> list[Ended]:
    """Return one answer or exception per unit, in order."""
    by_id = {str(unit.index): context for unit, context in zip(units, contexts, strict=True)}
    images, answers = _images(units, by_id)
    if images:
        answers |= await _answers(tuple(images), by_id, images)
    return [answers[str(unit.index)] for unit in units]


def _images(
    units: Sequence[Unit], contexts: dict[str, Context]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Ended]]:
    """Return the images of each unit that may be sent, and how the others ended."""
    images: dict[str, list[dict[str, Any]]] = {}
    ended: dict[str, Ended] = {}
    for unit in units:
        unit_id = str(unit.index)
        try:
            images[unit_id] = image_parts(unit.rows, contexts[unit_id].params)
        except BadImage as error:
            ended[unit_id] = error
    return images, ended


async def _answers(
    ids: tuple[str, ...], contexts: dict[str, Context], images: Images
) -> dict[str, Ended]:
    if len(ids) == 1:
        return {ids[0]: await _alone(contexts[ids[0]], images[ids[0]])}
    first = contexts[ids[0]]
    form = form_of(first.output, first.params)
    prefix = unit_prefix(first, packed=True)
    told = packed_messages(prefix, {unit_id: contexts[unit_id].prompt or "" for unit_id in ids})
    messages = with_parts(told, packed_parts({unit_id: images[unit_id] for unit_id in ids}))
    try:
        answer = await structured_call(first, messages, packed_schema(form.schema), fits=_listed)
    except Exception as error:  # noqa: BLE001 - it becomes the outcome of units
        if getattr(error, "code", None) not in _HALVED:
            return dict.fromkeys(ids, error)
        left, right = halves(ids)  # one of them may be the reason
        return {
            **await _answers(left, contexts, images),
            **await _answers(right, contexts, images),
        }
    matched = match_packed(ids, answer.value)
    found: dict[str, Ended] = {}
    for unit_id in ids:
        output: Any = matched.outputs.get(unit_id)
        if unit_id in matched.outputs and form.fits(output) is None:
            found[unit_id] = _opened(form, output, answer.raw)
        else:
            found[unit_id] = await _alone(contexts[unit_id], images[unit_id])
    return found


async def _alone(context: Context, images: Sequence[dict[str, Any]]) -> Ended:
    told = worker_messages(unit_prefix(context), context.prompt or "")
    try:
        answer = await unit_call(context, with_parts(told, images))
    except Exception as error:  # noqa: BLE001 - it becomes the outcome of this unit
        return error
    return Returned(answer.value, answer.raw)


def _opened(form: Form, value: Any, raw: str | None) -> Ended:
    try:
        return Returned(form.opened(value), raw)
    except MissingContextError as error:
        return error
