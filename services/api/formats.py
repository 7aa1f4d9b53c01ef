"""Rows as json pages or as streamed jsonl, csv and parquet: which, and how they are sent."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from flask import Response, request

from services.api import query
from services.api.long_answer import begun
from services.api.problems import Problem, invalid
from shared.domain.columns import Column
from shared.tables.writers.delimited import write_csv
from shared.tables.writers.jsonl import write_jsonl
from shared.tables.writers.parquet import write_parquet

MEDIA_TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
_ALSO = {"application/x-ndjson": "jsonl", "application/ndjson": "jsonl"}
_ROWS_AT_ONCE = 500


def wanted_format(given: dict[str, str]) -> str:
    """Return the format `?format=` names, else the one `Accept` likes best; 406 for none."""
    chosen = query.choice(given, "format", MEDIA_TYPES) or _accepted()
    if chosen != "json":
        for name in ("limit", "cursor"):
            if name in given:
                raise invalid(f"/query/{name}", "Pages are for format=json; others are whole.")
    return chosen


def stream(
    rows: Iterable[dict[str, Any]], columns: Sequence[Column], format_: str, file_name: str
) -> Response:
    """Return a response that writes the rows as they are read, in constant memory."""
    pieces = _encode(_groups(rows), columns, format_)
    response = Response(begun(pieces), content_type=_content_type(format_))
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}.{format_}"'
    return response


def _accepted() -> str:
    if not request.headers.get("Accept"):
        return "json"
    best = request.accept_mimetypes.best_match([*MEDIA_TYPES.values(), *_ALSO])
    if best is None:
        detail = f"Send Accept with one of {', '.join(MEDIA_TYPES.values())}."
        raise Problem(406, "not_acceptable", detail)
    return _ALSO.get(best) or next(name for name, kind in MEDIA_TYPES.items() if kind == best)


def _content_type(format_: str) -> str:
    suffix = "; charset=utf-8" if format_ == "csv" else ""
    return MEDIA_TYPES[format_] + suffix


def _encode(
    groups: Iterator[list[dict[str, Any]]], columns: Sequence[Column], format_: str
) -> Iterator[bytes]:
    if format_ == "csv":
        return write_csv(columns, groups)
    if format_ == "parquet":
        return write_parquet(columns, groups)
    return write_jsonl(groups)


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    waiting = iter(rows)
    while group := list(islice(waiting, _ROWS_AT_ONCE)):
        yield group
