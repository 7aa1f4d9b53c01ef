"""Which reader reads which format."""

from shared.tables.readers.delimited import read_csv
from shared.tables.readers.documents import read_html, read_txt
from shared.tables.readers.folder import read_folder
from shared.tables.readers.images import read_image
from shared.tables.readers.json_rows import read_json, read_ndjson
from shared.tables.readers.parquet import read_parquet
from shared.tables.readers.pdf import read_pdf, read_pdf_pages
from shared.tables.readers.source import Reader, Source, Table
from shared.tables.readers.word import read_docx
from shared.tables.readers.workbook import read_xlsx
from shared.tables.readers.xml_rows import read_xml
from shared.tables.readers.zipped import read_zip

_READERS: dict[str, Reader] = {
    "csv": read_csv,
    "json": read_json,
    "ndjson": read_ndjson,
    "parquet": read_parquet,
    "txt": read_txt,
    "html": read_html,
    "xml": read_xml,
    "pdf": read_pdf,
    "pdf-pages": read_pdf_pages,
    "docx": read_docx,
    "xlsx": read_xlsx,
    "image": read_image,
    "folder": read_folder,
}


def read_source(source: Source) -> Table:
    """Open a source with the reader of its format."""
    if source.format == "zip":
        return read_zip(source, _READERS)  # no zip in there: archives are not opened in archives
    return _READERS[source.format](source)
