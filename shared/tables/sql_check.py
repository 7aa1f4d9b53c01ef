"""Which SQL a stage may contain: one SELECT over its declared inputs and nothing else.

Works on the syntax tree DuckDB gives as JSON. Kinds of node are allowed by list, so that a kind
nobody thought of is refused; the locked-down connection is the second wall behind this one.
"""

from collections.abc import Collection, Iterator
from typing import Any

from shared.tables.child_process import ChildFailedError

NOT_ONE_SELECT = "sql_not_one_select"
UNKNOWN_TABLE = "sql_unknown_table"
INVALID = "sql_invalid"
UNSUPPORTED_TYPE = "sql_unsupported_type"
REFUSALS = frozenset({NOT_ONE_SELECT, UNKNOWN_TABLE, INVALID, UNSUPPORTED_TYPE})

_QUERIES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_SOURCES = {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT"}
_TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
_FUNCTIONS_REFUSED = {
    "col_description",
    "currval",
    "error",
    "getenv",
    "getvariable",
    "in_search_path",
    "nextval",
    "obj_description",
    "parse_duckdb_log_message",
    "session_user",
    "setseed",
    "setval",
    "shobj_description",
    "sleep_ms",
    "txid_current",
    "user",
    "version",
    "write_log",
}
_PREFIXES_REFUSED = ("pg_", "has_", "inet_", "current_", "read_", "__internal", "duckdb_")
_CURRENT_ALLOWED = {"current_date", "current_localtime", "current_localtimestamp", "pg_typeof"}

Scope = frozenset[str]


def check_tree(tree: dict[str, Any], inputs: Collection[str]) -> None:
    """Raise `ChildFailedError` with one of `REFUSALS` unless the tree may run over the inputs.

    `tree` is what ``json_serialize_sql`` returned for one statement. Names are compared without
    regard to case, as DuckDB does.
    """
    tables = {name.lower(): name for name in inputs}
    todo: list[tuple[Any, Scope]] = [(tree, frozenset())]
    while todo:  # a loop, because trees may be deeper than the interpreter's stack
        node, scope = todo.pop()
        if isinstance(node, list):
            todo.extend((item, scope) for item in node)
        elif isinstance(node, dict):
            _check_node(node, scope, tables)
            todo.extend(_children(node, scope))


def _check_node(node: dict[str, Any], scope: Scope, tables: dict[str, str]) -> None:
    if "cte_map" in node:
        _check_query(node)
    elif "class" in node:
        _check_expression(node)
    elif "sample" in node and "alias" in node:
        _check_source(node, scope, tables)


def _check_query(node: dict[str, Any]) -> None:
    if node["type"] not in _QUERIES:
        raise ChildFailedError(NOT_ONE_SELECT, "only SELECT is allowed, also inside WITH")


def _check_expression(node: dict[str, Any]) -> None:
    if node["class"] == "PARAMETER":
        raise ChildFailedError(INVALID, "the query has a parameter (? or $name); write the value")
    if node["class"] in ("FUNCTION", "WINDOW") and not _function_allowed(node):
        name = node["function_name"]
        raise ChildFailedError(INVALID, f"the function {name} is not available here")


def _function_allowed(node: dict[str, Any]) -> bool:
    name = node["function_name"].lower()
    if node.get("schema") or node.get("catalog"):
        return False
    if name in _CURRENT_ALLOWED:
        return True
    return name not in _FUNCTIONS_REFUSED and not name.startswith(_PREFIXES_REFUSED)


def _check_source(node: dict[str, Any], scope: Scope, tables: dict[str, str]) -> None:
    kind = node["type"]
    if kind not in _SOURCES:
        raise ChildFailedError(NOT_ONE_SELECT, "only SELECT over the inputs is allowed")
    if kind == "TABLE_FUNCTION":
        name = node["function"]["function_name"]
        if name.lower() not in _TABLE_FUNCTIONS:
            allowed = ", ".join(sorted(_TABLE_FUNCTIONS))
            detail = f"{name}(...) cannot be read from; only the inputs and {allowed} can"
            raise ChildFailedError(UNKNOWN_TABLE, detail)
    if kind == "BASE_TABLE":
        path = node["qualified_name"]["path"]
        if len(path) != 1 or (path[0].lower() not in scope and path[0].lower() not in tables):
            names = ", ".join(tables.values()) or "none"
            detail = f"there is no input called {'.'.join(path)}; the inputs are: {names}"
            raise ChildFailedError(UNKNOWN_TABLE, detail)


def _children(node: dict[str, Any], scope: Scope) -> Iterator[tuple[Any, Scope]]:
    """Yield what is below a node with the names of WITH that can be seen there."""
    if node.get("type") == "RECURSIVE_CTE_NODE":
        scope |= {node["cte_name"].lower()}
    for entry in node.get("cte_map", {}).get("map", []):
        yield entry["value"], scope
        scope |= {entry["key"].lower()}
    for key, value in node.items():
        if key != "cte_map" and isinstance(value, dict | list):
            yield value, scope
