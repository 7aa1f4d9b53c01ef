"""Operations that read results."""

from services.api.operations.parts import FORMAT, PAGE, READ, STREAMS, Operation, choice, query

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "get_results", "GET", "/v1/jobs/{job_id}/results", "results", "Return the rows of a stage",
        "jobs:read", view_token=True, answer={"type": "object"}, is_list=True, resumes=True,
        other_types=STREAMS,
        query_parameters=(
            query("stage", "The result's stage when silent."),
            query("outcome", "Units that did not succeed come as a row with `_apwa` only.",
                   choice("succeeded", "failed", "all")),
            query("include", "`lineage`, `input` or both, comma-separated: adds `_apwa`."),
            FORMAT, *PAGE,
        ),
        problems=(*READ, (406, "None of the formats is accepted.")),
        detail="While the stage runs: its finished shards, in the order they were noted; "
        "`resume_cursor` is where later ones follow. After it: in unit order. `_apwa` holds "
        "stage, unit, source {table, name, rows [[first, count]]}, attempt; for a failed unit "
        "outcome, code, detail; with `input` up to 100 of the unit's input rows.",
    ),
)  # fmt: skip
