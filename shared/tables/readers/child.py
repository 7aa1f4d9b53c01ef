"""The child process that reads one file: ``python -m shared.tables.readers.child``."""

import json
from dataclasses import replace
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared.tables.child_service import serve
from shared.tables.readers.batches import cut_batches
from shared.tables.readers.delimited import read_csv
from shared.tables.readers.documents import read_folder, read_html, read_txt
from shared.tables.readers.formats import PREFIX_BYTES, format_of
from shared.tables.readers.json_rows import read_json, read_ndjson
from shared.tables.readers.parquet import read_parquet
from shared.tables.readers.records import ReadLimits, ReadReport
from shared.tables.readers.source import Reader, Source, Table

_READERS: dict[str, Reader] = {
    "csv": read_csv,
    "json": read_json,
    "ndjson": read_ndjson,
    "parquet": read_parquet,
    "txt": read_txt,
    "html": read_html,
    "folder": read_folder,
}


def read(header: dict[str, Any], _stdin: BufferedReader, stdout: BufferedWriter) -> None:
    """Write the batches to ``stdout`` as Arrow stream, then the report to the file it names."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    source = _source(header)
    table = _READERS[source.format](source)
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
    path = Path(header["path"])
    source = Source(path, header["name"], "folder", ReadLimits(**header["limits"]))
    if path.is_dir():
        return source
    with path.open("rb") as file:
        prefix = file.read(PREFIX_BYTES)
    return replace(source, format=format_of(source.name, header["format"], prefix))


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
