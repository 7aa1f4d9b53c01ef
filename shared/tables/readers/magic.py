"""What a file is by its content, whatever it is called: the formats read, and what is refused."""

import re
import zipfile
from pathlib import Path

# What letters alone begin with may be the name of a column: what follows is no text.
_PARQUET = re.compile(rb"PAR1(?![\t\r\n -~])")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second: an archive without members
_MARK = b"\xef\xbb\xbf"
_FOREIGN = (
    (rb"\x7fELF", "an ELF program"),
    (rb"MZ\x90", "a Windows program"),
    (rb"\xcf\xfa\xed\xfe", "a Mach-O program"),
    (rb"\x1f\x8b", "a gzip archive"),
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "a bzip2 archive"),
    (rb"\xfd7zXZ", "an xz archive"),
    (rb"\x28\xb5\x2f\xfd", "a zstd archive"),
    (rb"7z\xbc\xaf", "a 7z archive"),
    (rb"Rar!\x1a\x07", "a rar archive"),
    (rb"SQLite format 3\0", "an SQLite database"),
    (rb"\xd0\xcf\x11\xe0", "an old Office document"),
    (rb"ARROW1\0\0", "an Arrow file"),
    (rb"(?s)PARE.{3}\0", "an encrypted parquet file"),  # the length of its first part, below 16 MB
)
# Members that only a package of that kind has; what no reader knows is told by its name.
_PACKAGES = (
    ("word/document.xml", "docx"),
    ("xl/workbook.xml", "xlsx"),
    ("xl/workbook.bin", "a binary workbook"),
    ("ppt/presentation.xml", "a presentation"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
    ("META-INF/container.xml", "an e-book"),
    ("AndroidManifest.xml", "an Android package"),
    ("mimetype", "an OpenDocument file or e-book"),
    ("[Content_Types].xml", "an Office document of a kind that is not read"),
)


def foreign(prefix: bytes) -> str | None:
    """Return what a file is that no reader reads; None for everything else."""
    for magic, what in _FOREIGN:
        if re.match(magic, prefix):
            return what
    return None


def content_format(prefix: bytes) -> str | None:
    """Return parquet, pdf, zip or image where the first bytes say so beyond doubt."""
    if _PARQUET.match(prefix):
        return "parquet"
    if prefix.startswith(_ZIP):
        return "zip"
    if prefix.removeprefix(_MARK).lstrip().startswith(b"%PDF-"):
        return "pdf"
    return "image" if image_type(prefix) else None


def image_type(prefix: bytes) -> str | None:
    """Return png, jpeg, gif or webp by the first bytes of a file; None for anything else."""
    if prefix.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if prefix.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if prefix.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "webp" if prefix[:4] == b"RIFF" and prefix[8:12] == b"WEBP" else None


def package_of(path: Path) -> str:
    """Return docx, xlsx or zip for a zip archive, else the name of the package it is.

    An archive that cannot be opened is a zip; its reader says what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return "zip"
    return next((kind for member, kind in _PACKAGES if member in names), "zip")
