"""Clusters of failed units, each with what to do about it."""

from typing import Any

_SUGGESTIONS = {
    "worker_lost": "The unit ended its worker several times; look for input of unusual size.",
    "timeout": "Raise timeout_s of the stage, or make its units smaller.",
    "output_too_large": "Make the units of the stage smaller.",
    "schema_mismatch": "Compare the stage's output schema with what the capability gives.",
    "missing_context": "Give the units of the stage the rows they ask for: group_by, overlap, or a "
    "later round over the joined tables.",
    "sql_timeout": "Make the query cheaper, or raise the setting APWA_SQL_WALL_S.",
    "sql_memory": "Make the query read less, or raise the setting APWA_SQL_MEMORY_BYTES.",
}
_OTHERWISE = "Look at one of these units with outcome=failed and include=input."


def failure_object(cluster: dict[str, Any]) -> dict[str, Any]:
    """Return a cluster with a suggestion."""
    return {**cluster, "suggestion": _SUGGESTIONS.get(cluster["code"] or "", _OTHERWISE)}
