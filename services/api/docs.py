"""The OpenAPI document and a page that shows it without the internet."""

from flask import Blueprint

blueprint = Blueprint("docs", __name__)
