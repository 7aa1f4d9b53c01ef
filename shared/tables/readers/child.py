"""The child process that reads one file: ``python -m shared.tables.readers.child``."""

import json
from dataclasses import replace
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared.tables.child_service import serve
from shared.tables.readers.batches import cut_batches
from shared.tables.readers.formats import format_of_file
from shared.tables.readers.records import ReadLimits, ReadReport, unreadable
from shared.tables.readers.registry import read_source
from shared.tables.readers.source import Source, Table


def read(header: dict[str, Any], _stdin: BufferedReader, stdout: BufferedWriter) -> None:
    """Write the batches to ``stdout`` as Arrow stream, then the report to the file it names."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    source = _source(header)
    table = read_source(source)
    rows = 0
    batches = cut_batches(table)
    first = next(batches)
    with pa.ipc.new_stream(stdout, first.schema) as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    Path(header["report"]).write_text(json.dumps(_report(source, table, rows).to_json()))


def _source(header: dict[str, Any]) -> Source:
    path, sheet = Path(header["path"]), header["sheet"]
    source = Source(
        path, header["name"], "folder", ReadLimits(**header["limits"]), Path(header["scratch"]),
        sheet,
    )  # fmt: skip
    if not path.is_dir():
        source = replace(source, format=format_of_file(path, source.name, header["format"]))
    if sheet is not None and source.format != "xlsx":
        raise unreadable(f"only a workbook has sheets, and this is {source.format}")
    return source


def _report(source: Source, table: Table, rows: int) -> ReadReport:
    tally = table.tally
    return ReadReport(
        format=source.format,
        rows=rows,
        unreadable=tally.unreadable,
        samples=tuple(tally.samples),
        charset=table.charset,
        dialect=table.dialect,
    )


if __name__ == "__main__":
    serve(read)
