"""Which format a media type says a body has; what says nothing leaves it to name and content."""

from shared.tables.readers.formats import FORMATS

GIVEN_FORMATS = (*FORMATS, "jsonl")  # what a client may name
DOCUMENT_FORMATS = ("txt", "html", "xml", "pdf", "docx", "image")  # of several files at once
FORMAT_OF_MEDIA_TYPE: dict[str, str | None] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "text/plain": "txt",
    "text/html": "html",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/zip": "zip",
    "image/png": "image",
    "image/jpeg": "image",
    "image/gif": "image",
    "image/webp": "image",
    "application/octet-stream": None,  # told by name and first bytes
}
