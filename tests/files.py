"""Files of every kind that readers read, and hostile ones, made here and not brought along."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any


def pdf(*pages: str, title: str = "", objects: Mapping[int, bytes] | None = None) -> bytes:
    """Return a PDF document with a line of text on each page; `objects` replace its own.

    Object 1 is the catalogue, 2 the page tree, 3 the font, 4 the information; then page and
    contents in turns.
    """
    kids = " ".join(f"{5 + 2 * at} 0 R" for at in range(len(pages)))
    made = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        4: f"<< /Title ({title}) >>".encode(),
    }
    for at, page in enumerate(pages):
        made[5 + 2 * at] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents {6 + 2 * at} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        ).encode()
        made[6 + 2 * at] = stream(f"BT /F1 12 Tf 10 200 Td ({page}) Tj ET".encode("cp1252"))
    return _numbered(made | dict(objects or {}))


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """Return a PDF stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def _numbered(objects: Mapping[int, bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += b"%010d 00000 n \n" % places.get(number, 0)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\n" % size
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def docx(*paragraphs: str, title: str = "", table: Sequence[Sequence[str]] = ()) -> bytes:
    """Return a Word document with paragraphs and perhaps a table after them."""
    from docx import Document

    document = Document()
    document.core_properties.title = title
    for text in paragraphs:
        document.add_paragraph(text)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def xlsx(**sheets: Sequence[Sequence[Any]]) -> bytes:
    """Return a workbook; one sheet for each argument, a list of rows."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def image(kind: str = "png", size: tuple[int, int] = (3, 2)) -> bytes:
    """Return a picture of one colour."""
    from PIL import Image

    target = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(target, kind.upper())
    return target.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG that claims to be that large and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1_000))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def xml_bomb() -> bytes:
    """Return nine entities, each ten times the one before."""
    lines = ['<!ENTITY a0 "lol">']
    lines += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    return f"<?xml version='1.0'?><!DOCTYPE z [{''.join(lines)}]><z>&a9;</z>".encode()


def overlapping_zip(copies: int = 100) -> bytes:
    """Return an archive whose table of contents names one member many times over."""
    made = zipped({"a.txt": b"x" * 10_000}, zipfile.ZIP_STORED)
    end = made.rindex(b"PK\x05\x06")
    start = struct.unpack("<I", made[end + 16 : end + 20])[0]
    entry = made[start:end]
    table = b"".join(entry.replace(b"a.txt", b"%05d" % n) for n in range(copies))
    tail = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, copies, copies, len(table), start, 0)
    return made[:start] + table + tail
