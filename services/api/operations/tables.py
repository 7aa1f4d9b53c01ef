"""Operations on tables."""

from services.api.operations.parts import (
    BINARY,
    FORMAT,
    INVALID,
    KEY,
    NOT_FOUND,
    PAGE,
    READ,
    STREAMS,
    Operation,
    choice,
    query,
)
from services.api.schemas import answers
from shared.tables.media_types import FORMAT_OF_MEDIA_TYPE, GIVEN_FORMATS

UPLOADS = (*FORMAT_OF_MEDIA_TYPE, "multipart/form-data")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create_table", "POST", "/v1/tables", "tables", "Upload a table", "tables:write",
        status=201, answer=answers.TableSchema, answer_text="Loaded; `Location` is the table.",
        body=dict.fromkeys(UPLOADS, BINARY),
        query_parameters=(
            query("name", "What to call it; also tells the format by its suffix."),
            query("format", "Wins over the media type.",
                   choice(*GIVEN_FORMATS)),
            query("sheet", "Which sheet of a workbook (xlsx); the first where none is named."),
            query("key", "A unique column without nulls."),
        ),
        problems=(*KEY, (413, "Too large."), (415, "Unknown media type."),
                  (422, "Cannot be read, or the key is not one.")),
        detail="Rows that cannot be read are counted in `report` with line and reason. Several "
        "files in a multipart body become one row per document (name, title, text) or image. What "
        "becomes of each format is in docs/inputs.md.",
    ),
    Operation(
        "list_tables", "GET", "/v1/tables", "tables", "List input tables, newest first",
        "tables:read", answer=answers.TableBriefSchema, is_list=True, query_parameters=PAGE,
        problems=(*KEY, INVALID),
    ),
    Operation(
        "get_table", "GET", "/v1/tables/{table_id}", "tables", "Return one table", "tables:read",
        answer=answers.TableSchema, has_etag=True, problems=READ,
    ),
    Operation(
        "get_rows", "GET", "/v1/tables/{table_id}/rows", "tables", "Return the rows of a table",
        "tables:read", answer={"type": "object"}, is_list=True, other_types=STREAMS,
        query_parameters=(FORMAT, *PAGE),
        problems=(*READ, (406, "None of the formats is accepted."), (409, "Not sealed yet.")),
    ),
    Operation(
        "delete_table", "DELETE", "/v1/tables/{table_id}", "tables", "Erase a table",
        "tables:write", status=204, answer_text="Its rows are gone.",
        problems=(*KEY, NOT_FOUND, (409, "A job that is not final uses it."), INVALID),
    ),
)  # fmt: skip
