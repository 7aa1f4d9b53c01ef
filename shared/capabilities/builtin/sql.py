"""Facts of `sql`: one SELECT over the tables of the stage."""

from collections.abc import Mapping
from typing import Any

from shared.capabilities.contract import Columns, Manifest
from shared.domain.columns import Column, schema_of_columns

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "minLength": 1,
            "description": "one SELECT; the tables are those named in `over`",
        }
    },
    "required": ["query"],
    "additionalProperties": False,
}

MANIFEST = Manifest(
    name="sql",
    version="1",
    description="Runs one SELECT over whole tables in a locked-down DuckDB.",
    params=PARAMS,
    units=("table",),
    queue="cpu",
    runs="loop",  # its tables are handles no pickle can carry; the query has a child of its own
    effects="none",
    emits="many",
    output=None,
    computed_output=True,
    reads="tables",
)


def output(inputs: Mapping[str, Columns], params: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one row of the result; raises what `describe_select` raises."""
    # Imported here: DuckDB is heavy, and whoever asks for no sql stage need not load it.
    from shared.tables.sql import describe_select

    tables = {
        name: [Column.from_json(dict(column)) for column in columns]
        for name, columns in inputs.items()
    }
    return schema_of_columns(tuple(describe_select(params["query"], tables)))
