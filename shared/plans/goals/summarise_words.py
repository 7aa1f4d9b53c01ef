"""Reads a goal of summaries: which parts are to be summarised, and whether the whole is too."""

import re
from dataclasses import dataclass, field

from shared.plans.goals.levels import Level, level_of, piece_of
from shared.plans.goals.words import forms, items, without_articles

_GOAL = re.compile(r"(?:summari[sz]e|sum up|write a summary of|give (?:me )?a summary of) (.+)")
_WHOLE = re.compile(
    r"(?:the |this |its |as a )?(?:whole|entire|complete|full)(?: (?P<what>[\w-]+))?"
    r"|everything|it all|all of it|it|all"
)
_EACH = re.compile(r"(?:every|each|all (?:of )?the|all|the individual|every single) (?P<noun>.+)")
_BY = re.compile(
    r"(?P<noun>.+?) (?:by|per|grouped by|for each|for every|of each|of every) (?P<columns>.+)"
)
_OF = re.compile(r"(?P<noun>.+?) (?:of|in|from|within) (?P<of>.+)")
_DOCUMENT = {"document", "file", "text", "article", "page", "play", "story", "novel", "report"}
_ROW = {"row", "record", "entry", "item", "line"}


@dataclass(slots=True)
class Request:
    """What is to be summarised; `rows` are nouns for rows, `columns` phrases for groups."""

    levels: list[Level] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    documents: bool = False
    whole: bool = False
    where: str | None = None


def read_request(goal: str) -> Request | None:
    """Return the request of a plain goal, None when it is not about summaries."""
    found = _GOAL.fullmatch(goal)
    if found is None:
        return None
    request = Request()
    by = _BY.fullmatch(found[1])
    if by is not None and _EACH.fullmatch(found[1]) is None:
        request.where, request.columns = by["noun"], items(by["columns"])
        return request
    for part in items(found[1]):
        _read(part, request)
    return request


def _read(part: str, request: Request) -> None:
    each = _EACH.fullmatch(part)
    if each is not None:
        _read_each(each["noun"], request)
        return
    whole = _WHOLE.fullmatch(part)
    if whole is not None:
        request.whole = True
        return
    of = _OF.fullmatch(part)
    noun = without_articles(of["noun"] if of is not None else part)
    plural = len(forms(noun)) > 1
    if plural and (level_of(noun) or piece_of(noun)):
        _read_each(part, request)  # `scenes and acts` without `every`
        return
    request.whole = True
    request.where = part if request.where is None else request.where


def _read_each(words: str, request: Request) -> None:
    of = _OF.fullmatch(words)
    noun = without_articles(of["noun"] if of is not None else words)
    if of is not None:
        request.where = of["of"]
    level, piece = level_of(noun), piece_of(noun)
    if level is not None:
        request.levels.append(level)
    elif piece is not None:
        request.pieces.append(piece)
    elif forms(noun) & _DOCUMENT:
        request.documents = True
    elif forms(noun) & _ROW:
        request.rows.append("row")
    else:
        request.rows.append(noun)
