"""Liveness, readiness, version."""

from importlib.metadata import PackageNotFoundError, version

from flask import Blueprint, Response

from services.api import query
from services.api.answers import answer
from services.api.problems import Problem
from services.api.readiness import checks, newest_revision
from services.api.wired import wired
from shared.actions.refusals import FieldProblem

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> Response:
    """Answer while the process lives; looks at nothing else."""
    query.known()
    return answer({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer 200 when database, schema and broker are fine, else 503 with what is wrong."""
    query.known()
    found = checks(wired())
    wrong = {name: told for name, told in found.items() if told != "ok"}
    if wrong:
        problems = [FieldProblem(f"/{name}", told) for name, told in wrong.items()]
        detail = " ".join(told for told in wrong.values() if told != "unknown")
        raise Problem(503, "not_ready", detail, problems, {"Retry-After": "2"})
    return answer({"status": "ok", "checks": found})


@blueprint.get("/version")
def get_version() -> Response:
    """Return the version of the program, its API and its database schema."""
    query.known()
    return answer({"version": program_version(), "api": "v1", "schema": newest_revision()})


def program_version() -> str:
    """Return the installed version; a source tree nobody installed has none."""
    try:
        return version("apwa")
    except PackageNotFoundError:
        return "0.0.0+source"
