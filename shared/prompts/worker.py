"""What a worker sends to a model: the shared prefix first, the unit's data last and marked."""

from collections.abc import Mapping, Sequence

from shared.prompts import filled, prompt_text
from shared.prompts.marking import marked, marked_unit

WORKER_VERSION = 1  # of the texts below; part of what a prompt's hash stands for
JUDGE_VERSION = 1

Message = dict[str, str]


def worker_prefix(
    *,
    brief: str,
    instructions: str,
    answer: str = "",
    packed: bool = False,
    agent: bool = False,
    may_ask: bool = False,
) -> str:
    """Return the text that is alike for all units of a stage, so that providers can cache it.

    `instructions` are rendered; `answer` says the form of the answer where the API does not
    (`structured.schema_instructions`). `may_ask`: an answer may say that other rows are needed.
    Nothing of a unit belongs here.
    """
    parts = [prompt_text("worker", WORKER_VERSION)]
    parts += [prompt_text("pack", WORKER_VERSION)] if packed else []
    parts += [prompt_text("agent", WORKER_VERSION)] if agent else []
    parts += [prompt_text("missing_context", WORKER_VERSION)] if may_ask else []
    parts += [f"## Brief\n{brief}"] if brief else []
    parts.append(f"## Task\n{instructions or 'Do what the brief says.'}")
    parts += [f"## Form of the answer\n{answer}"] if answer else []
    return "\n\n".join(parts)


def worker_messages(prefix: str, data: str) -> list[Message]:
    """Return the messages for one unit; `data` is its rendered `input`, taken as it is."""
    return [{"role": "system", "content": prefix}, {"role": "user", "content": marked(data)}]


def packed_messages(prefix: str, units: Mapping[str, str]) -> list[Message]:
    """Return the messages for several units in one call: rendered inputs by the unit's id."""
    blocks = [marked_unit(unit_id, data) for unit_id, data in units.items()]
    return [{"role": "system", "content": prefix}, {"role": "user", "content": "\n".join(blocks)}]


def judge_messages(
    *, brief: str, instructions: str, data: str, attempts: Sequence[str]
) -> list[Message]:
    """Return the messages that ask for the best of several attempts, numbered from 1."""
    parts = [prompt_text("judge", JUDGE_VERSION)]
    parts += [f"## Brief\n{brief}"] if brief else []
    parts.append(f"## Task that was set\n{instructions or 'Do what the brief says.'}")
    told = [f"The material:\n{marked(data)}"]
    told += [f"Attempt {no}:\n{marked(text)}" for no, text in enumerate(attempts, start=1)]
    return [
        {"role": "system", "content": "\n\n".join(parts)},
        {"role": "user", "content": "\n\n".join(told)},
    ]


def direct_instructions(goal: str) -> str:
    """Return the instructions of a job that is one call: the goal and how to take it."""
    return filled(prompt_text("direct"), {"goal": goal})
