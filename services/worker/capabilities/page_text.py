"""Turns what a web server sent into text: pure, and run in a child since pages may be hostile."""

import logging
import re
from dataclasses import dataclass
from email.message import Message

MOST_CHARS = 1_000_000  # of one page's text
_WEB_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_TEXTS = frozenset({"application/json", "application/xml", "application/x-ndjson"})
_NO_TEXTS = frozenset({"text/css", "text/javascript", "text/event-stream", "text/rtf"})
_TEXT_ENDINGS = ("+json", "+xml")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_BLANK = re.compile(r"[ \t]*\n\s*\n\s*")
_SHOWN = 300  # characters of a title


@dataclass(frozen=True, slots=True)
class PageText:
    """The title (None where there is none) and the readable text of a page."""

    title: str | None
    text: str


def is_text(content_type: str) -> bool:
    """Return True for the kinds of content that are read; an unsaid kind is none of them."""
    kind = _kind(content_type)[0]
    if kind == "image/svg+xml" or kind in _NO_TEXTS:
        return False
    return kind in _WEB_PAGES | _TEXTS or kind.startswith("text/") or kind.endswith(_TEXT_ENDINGS)


def page_text(body: bytes, content_type: str) -> PageText | None:
    """Return the text of a page; None when it is no text after all."""
    kind, charset = _kind(content_type)
    html = kind in _WEB_PAGES
    text = _decoded(body, charset, look_inside=html)
    if "\0" in text:
        return None
    found = _of_web_page(text) if html else PageText(None, text)
    return PageText(found.title and _storable(found.title), _storable(found.text[:MOST_CHARS]))


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # some charsets yield lone surrogates


def _kind(content_type: str) -> tuple[str, str | None]:
    message = Message()
    message["content-type"] = content_type.replace("\r", " ").replace("\n", " ") or "x/unsaid"
    charset = message.get_param("charset")
    return message.get_content_type(), charset if isinstance(charset, str) else None


def _decoded(body: bytes, charset: str | None, *, look_inside: bool) -> str:
    """Believe the server, else the page, else what the bytes look like."""
    declared = _META_CHARSET.search(body[:4096]) if look_inside else None
    for name in (charset, declared.group(1).decode("ascii", "replace") if declared else None):
        try:
            if name:
                return body.decode(name).removeprefix("\ufeff")
        except (UnicodeError, LookupError):
            continue  # wrong about itself
    from shared.tables.readers.charset import decode_document

    try:
        return decode_document(body)[0].removeprefix("\ufeff")
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace")


def _of_web_page(markup: str) -> PageText:
    # Here, because only children pay the half second that this import takes.
    import trafilatura
    from selectolax.lexbor import LexborHTMLParser

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    tree = LexborHTMLParser(markup)
    node = tree.css_first("title")
    title = " ".join(node.text().split())[:_SHOWN] if node is not None else ""
    text = trafilatura.extract(markup, include_comments=False, include_tables=True) or ""
    if not text.strip():
        tree.strip_tags(["script", "style", "noscript", "template", "title"])
        body = tree.body
        text = _BLANK.sub("\n\n", body.text(separator="\n")).strip() if body is not None else ""
    return PageText(title or None, text)
