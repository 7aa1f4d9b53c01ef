"""Folds a group that is too long for one call: parts, then the answers to the parts, again."""

import orjson

from services.worker.capabilities.images import count_images, image_parts, with_images
from services.worker.capabilities.llm_call import structured_call
from shared.capabilities.contract import Context, Returned, Unit
from shared.llm.tokens import TOKENS_PER_IMAGE, estimate_tokens
from shared.prompts import prompt_text
from shared.prompts.worker import worker_messages, worker_prefix

OUTPUT_SHARE = 4  # a quarter of the context is left for the answer unless the plan says more
MOST_ROUNDS = 12  # halving at least each time, this folds any group that fits in memory
PROMPT_TOKENS = 800  # the rules and marks around the data


class FoldError(ValueError):
    """A single row is too long for the model, or folding does not get shorter."""

    code = "context_overflow"


def too_long(unit: Unit, context: Context) -> bool:
    """Return True when the unit's prompt and images do not fit into one call."""
    images = TOKENS_PER_IMAGE * count_images(unit.rows, context.params)
    return estimate_tokens(context.prompt or "") + images > room(context)


def room(context: Context) -> int:
    """Return how many tokens of data one call has room for."""
    if context.ask is None:
        raise RuntimeError("this process has no model door")
    total = context.ask.context_tokens(context.params.get("model", "worker"))
    answer = context.params.get("max_output_tokens") or total // OUTPUT_SHARE
    said = estimate_tokens(context.brief) + estimate_tokens(context.instructions or "")
    return max(1, total - answer - said - PROMPT_TOKENS)


async def fold(unit: Unit, context: Context) -> Returned:
    """Answer for each part of the rows, then join the answers until one is left."""
    if context.render is None:
        raise RuntimeError("a unit that is folded needs its template")
    image_parts(unit.rows, context.params)  # a bad one ends the unit before the first call
    prefix = worker_prefix(brief=context.brief, instructions=context.instructions or "")
    answers = []
    for part in _parts_of_rows(unit, context):
        messages = worker_messages(prefix, context.render(part))
        messages = with_images(messages, part, context.params)
        answers.append((await structured_call(context, messages, context.output)).value)
    for _ in range(MOST_ROUNDS):
        if len(answers) == 1:
            return Returned(answers[0])
        answers = [await _join(context, some) for some in _parts(answers, room(context))]
    raise FoldError("the answers to the parts do not get shorter by joining them")


async def _join(context: Context, answers: list[object]) -> object:
    if len(answers) == 1:
        return answers[0]
    told = f"{context.instructions or ''}\n\n{prompt_text('fold')}"
    prefix = worker_prefix(brief=context.brief, instructions=told)
    messages = worker_messages(prefix, orjson.dumps(answers).decode())
    return (await structured_call(context, messages, context.output)).value


def _parts_of_rows(unit: Unit, context: Context) -> list[list[dict[str, object]]]:
    """Cut the rows into runs that fit one call each; raise FoldError for a row that never does."""
    limit, size_of = room(context), context.render
    assert size_of is not None  # noqa: S101 - told by `fold`
    parts: list[list[dict[str, object]]] = [[]]
    filled = 0
    for row in unit.rows:
        tokens = estimate_tokens(size_of([row]))
        tokens += TOKENS_PER_IMAGE * count_images([row], context.params)
        if tokens > limit:
            raise FoldError(f"a single row has about {tokens} tokens; there is room for {limit}")
        if parts[-1] and filled + tokens > limit:
            parts.append([])
            filled = 0
        parts[-1].append(row)
        filled += tokens
    return parts


def _parts(answers: list[object], limit: int) -> list[list[object]]:
    """Cut answers into runs of at least two, as many as fit."""
    parts: list[list[object]] = [[]]
    filled = 0
    for answer in answers:
        tokens = estimate_tokens(orjson.dumps(answer).decode())
        if len(parts[-1]) >= 2 and filled + tokens > limit:
            parts.append([])
            filled = 0
        parts[-1].append(answer)
        filled += tokens
    return parts
