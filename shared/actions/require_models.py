"""Refuses a request for models that this deployment does not have."""

from shared.actions.job_request import JobRequest
from shared.actions.refusals import FieldProblem, Invalid
from shared.llm.endpoints import endpoints_of
from shared.settings import Settings, env_name

_CODE = "model_not_configured"


def require_models(settings: Settings, request: JobRequest, *, under: str = "") -> None:
    """Raise Invalid `model_not_configured` where a model is asked for that nobody configured.

    `under` is the pointer of what holds `models` and `planning`.
    """
    endpoints = endpoints_of(settings)
    known = ", ".join(endpoints.names()) or "none"
    problems = [
        FieldProblem(
            f"{under}/models/{role}",
            f"No model endpoint is called `{name[:60]}`; there are: {known}.",
        )
        for role, name in request.models.items()
        if endpoints.find(name) is None
    ]
    if problems:
        raise Invalid(problems, _CODE, problems[0].detail)
    if request.planning in {"model", "direct"} and endpoints.find("planner") is None:
        names = " or ".join(env_name(name) for name in ("openai_api_key", "openai_base_url"))
        detail = f"No model is configured here (set {names}); use `rules` or send a plan."
        raise Invalid([FieldProblem(f"{under}/planning", detail)], _CODE, detail)
