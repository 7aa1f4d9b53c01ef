"""Marks text that came from outside as data, so that nothing in it can pass for anything else.

The marks are fixed, so the rules about them can be shared by all units. What stands between them
can hold neither mark, nor the control tokens of chat formats that some servers would obey.
"""

import re

OPEN, CLOSE = "<data>", "</data>"
# The words of our marks however they are spelt, and the control tokens of well-known chat formats.
_MARKS = re.compile(
    r"<(?=\s*[/\\]?\s*(?:data|unit)\b)"
    r"|<(?=\s*[|｜])"
    r"|<(?=[/\\]?(?:s|bos|eos|system|assistant|user|start_of_turn|end_of_turn|think|tool_call"
    r"|tool_response|function_calls?|tools)\s*>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\])",
    re.IGNORECASE,
)
_STANDS_FOR = {"<": "&lt;", "[": "&#91;"}


def neutral(text: str) -> str:
    """Return the text with the first sign of every mark and control token written as an entity.

    Everything else stays as it is; done twice it changes nothing more.
    """
    return _MARKS.sub(lambda found: _STANDS_FOR[found[0]], text)


def marked(text: str) -> str:
    """Return the text as one block of data."""
    return f"{OPEN}\n{neutral(text)}\n{CLOSE}"


def marked_unit(unit_id: str, text: str) -> str:
    """Return the text as the data of one of several units in one call; our ids hold no quotes."""
    return f'<unit id="{unit_id}">\n{neutral(text)}\n</unit>'
