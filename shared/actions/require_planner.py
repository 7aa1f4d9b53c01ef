"""Refuses a request for planning by a model that this deployment does not have."""

from shared.actions.job_request import JobRequest
from shared.actions.refusals import FieldProblem, Invalid
from shared.llm.endpoints import endpoints_of
from shared.settings import Settings, env_name

_CODE = "model_not_configured"


def require_planner(settings: Settings, request: JobRequest) -> None:
    """Raise Invalid `model_not_configured` where a model is asked for that nobody configured."""
    endpoints = endpoints_of(settings)
    chosen = request.models.get("planner")
    if chosen is not None and endpoints.find(chosen) is None:
        known = ", ".join(endpoints.names()) or "none"
        detail = f"No model endpoint is called `{chosen[:60]}`; there are: {known}."
        raise Invalid([FieldProblem("/models/planner", detail)], _CODE, detail)
    if request.planning in {"model", "direct"} and endpoints.find("planner") is None:
        names = " or ".join(env_name(name) for name in ("openai_api_key", "openai_base_url"))
        detail = f"No model is configured here (set {names}); use `rules` or send a plan."
        raise Invalid([FieldProblem("/planning", detail)], _CODE, detail)
