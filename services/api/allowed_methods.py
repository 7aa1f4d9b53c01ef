"""Lets `Allow` name the methods of the path as the document has it."""

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

_HEADER = "Allow"


def install(app: Flask) -> None:
    """Write `Allow` anew wherever an answer has it: OPTIONS and 405."""
    app.after_request(_tell)


def _tell(response: Response) -> Response:
    if _HEADER in response.headers and (rule := _rule_of_path()):
        response.headers[_HEADER] = ", ".join(sorted(_methods_of(rule)))
    return response


def _rule_of_path() -> Rule | None:
    """Return the most exact rule that the path matches, by a method that every rule has."""
    try:
        adapter = current_app.create_url_adapter(request)
        return adapter.match(method="OPTIONS", return_rule=True)[0] if adapter else None
    except HTTPException:
        return None


def _methods_of(rule: Rule) -> set[str]:
    """Return what all rules of the same template take.

    The router would add the methods of wider ones: `/v1/jobs/estimate` matches
    `/v1/jobs/<job_id>` too.
    """
    alike = [one for one in current_app.url_map.iter_rules() if one.rule == rule.rule]
    return {method for one in alike for method in one.methods or ()}
