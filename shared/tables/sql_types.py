"""How our column types and DuckDB's become one another."""

from typing import Any

from shared.domain.columns import Column, ColumnType

SQL_TYPES: dict[ColumnType, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "json": "JSON",
}
_COLUMN_TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(("varchar", "uuid", "enum", "bit", "interval", '"null"', "sqlnull"), "string"),
    **dict.fromkeys(("time", "time with time zone", "time_ns"), "string"),
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint", "hugeint"), "integer"),
    **dict.fromkeys(("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("timestamp", "timestamp with time zone"), "timestamp"),
    **dict.fromkeys(("timestamp_s", "timestamp_ms", "timestamp_ns"), "timestamp"),
    **dict.fromkeys(("json", "list", "array", "struct", "map", "union", "variant"), "json"),
    "boolean": "boolean",
    "date": "date",
}
_RANGES = {
    "date": ("0001-01-01", "9999-12-31"),
    "timestamp": ("0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"),
}


def column_type(sql_type: Any) -> ColumnType | None:
    """Return the column type that holds values of a DuckDB type, None where none does."""
    # Some types only tell their name (JSON is an alias), others only their kind (lists).
    return _COLUMN_TYPES.get(str(sql_type).lower()) or _COLUMN_TYPES.get(str(sql_type.id).lower())


def converted(column: Column, sql_type: Any) -> str:
    """Return the SQL expression that makes a result column one of ours.

    A value that does not fit ends the query with an error: an integer beyond 64 bits, a date
    beyond the years 1 to 9999.
    """
    name = quoted(column.name)
    target = SQL_TYPES[column.type]
    if column.type == "json":
        value = name if str(sql_type) == "JSON" else f"to_json({name})"
        return f"CAST({value} AS VARCHAR)"
    if column.type in _RANGES:
        first, last = _RANGES[column.type]
        value = f"CAST({name} AS {target})"
        inside = f"{value} BETWEEN {target} '{first}' AND {target} '{last}'"
        told = f"error('a {column.type} lies outside the years 1 to 9999')"
        return f"CASE WHEN {name} IS NULL OR {inside} THEN {value} ELSE {told} END"
    return f"CAST({name} AS {target})"


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
