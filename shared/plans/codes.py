"""Every code the linter may give, with what it means; the documentation is checked against it."""

ERRORS: dict[str, str] = {
    "agree_without_replicas": "`agree` combines replicas, and there is only one.",
    "capability_unavailable": "This exists, but no worker of this deployment offers it.",
    "cyclic": "The stage reads, directly or through others, its own output.",
    "duplicate_name": "Two tables would have one name, or one is named twice.",
    "emit_not_supported": "The capability cannot emit that many rows per unit.",
    "empty_table": "A literal table has no rows or no columns.",
    "external_not_permitted": "The capability or tool acts on the outside, and the project "
    "forbids that.",
    "image_column_not_text": "A column of images has to be text.",
    "images_not_supported": "The model's endpoint is known not to take images.",
    "invalid_output_schema": "`output` is not a usable JSON Schema of one row.",
    "invalid_parameter": "A parameter is missing or does not satisfy the capability's schema.",
    "json_column": "A `json` column cannot be grouped or ordered by.",
    "keep_collides": "A kept column has the name of an output column.",
    "keep_not_supported": "The capability reads whole tables, so no column can be carried along.",
    "missing_output": "The capability needs the stage to say its `output`.",
    "missing_template": "The capability needs a template.",
    "not_one_row": "A template names a column of a table that has not exactly one row.",
    "out_of_range": "A limit of the stage lies outside its range.",
    "output_mismatch": "The result's columns do not match the job's `output`.",
    "output_not_supported": "The capability brings its own output.",
    "over_list_not_supported": "Only a capability that reads whole tables takes several.",
    "sql_invalid": "The database refuses the query.",
    "sql_not_one_select": "The query is not exactly one SELECT.",
    "sql_unsupported_type": "The query returns a column of a type tables cannot hold.",
    "sql_unknown_table": "The query reads a table that `over` does not name.",
    "template_not_supported": "The capability takes no template.",
    "template_without_placeholder": "Every unit would get the same text.",
    "too_many_stages": "The plan has more stages than allowed.",
    "too_many_subtasks": "The plan has more subtasks than allowed, even at the low estimate.",
    "too_many_tokens": "The plan needs more tokens than allowed, even at the low estimate.",
    "tool_not_allowed": "The project does not allow this tool.",
    "unit_not_supported": "The capability does not take this kind of unit.",
    "unknown_capability": "No capability has this name.",
    "unknown_column": "The table has no such column.",
    "unknown_parameter": "The capability has no such parameter.",
    "unknown_placeholder": "A placeholder names nothing the unit has.",
    "unknown_result": "The result is not a stage of the plan.",
    "unknown_table": "There is no such table.",
    "unused_stage": "Nothing reads the stage, and it is not the result.",
}

WARNINGS: dict[str, str] = {
    "mentions_other_rows": "A template speaks of other rows; a subtask sees its own unit only.",
    "over_budget": "The expected price lies above the budget.",
    "waits_for_end": "The stage reads a stream and cannot work before its records have ended.",
    "will_fold": "A unit is larger than one model call takes; it will be folded.",
}

CODES: dict[str, str] = ERRORS | WARNINGS
