"""The OpenAPI document and a page that shows it without the internet."""

from functools import cache
from pathlib import Path

import flask_openapi3_swagger
import orjson
from flask import Blueprint, Response, send_from_directory

from services.api import query
from services.api.answers import JSON
from services.api.openapi import document

_FILES = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"
_CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>APWA API</title>
<link rel="stylesheet" href="/docs/files/css/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/files/js/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></body></html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis]
});
"""

blueprint = Blueprint("docs", __name__)


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI 3.1 document."""
    query.known()
    return Response(_document(), content_type=JSON)


@blueprint.get("/docs")
def page() -> Response:
    """Return the page."""
    response = Response(_PAGE, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _CSP
    return response


@blueprint.get("/docs/start.js")
def start() -> Response:
    """Return the script that starts the page (a file of its own, for the strict policy)."""
    return Response(_START, content_type="text/javascript; charset=utf-8")


@blueprint.get("/docs/files/<path:name>")
def file(name: str) -> Response:
    """Return one of the page's files, which come from an installed package."""
    return send_from_directory(_FILES, name, max_age=86_400)


@cache
def _document() -> bytes:
    return orjson.dumps(document())
