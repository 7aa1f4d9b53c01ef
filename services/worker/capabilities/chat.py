"""`chat`: a ready chat body, sent to the model as it is."""

from functools import cache
from typing import Any

import orjson

from services.worker.capabilities.assemble import assemble
from services.worker.capabilities.chat_answer import require_completion
from services.worker.capabilities.chat_body import BodyRefused, ready_body
from shared.capabilities.builtin import chat as facts
from shared.capabilities.contract import Context, Unit
from shared.llm.endpoints import Endpoints, endpoints_of
from shared.settings import load_settings


async def run(unit: Unit, context: Context) -> dict[str, Any]:
    """Return status, request id and body of the answer; raises BodyRefused and what `ask` does.

    A null gives nulls. A body may be text or, in a `json` column, an object. With `require_ok`
    AnswerNotOk is raised for an answer that is no completion.
    """
    value = unit.rows[0][context.params["field"]]
    if value is None:
        return dict.fromkeys(facts.OUTPUT["properties"])
    endpoints, most_tokens = _offered()
    ready = ready_body(_decoded(value), endpoints, most_tokens)
    if context.ask is None:
        raise RuntimeError("this process has no model door")
    status, request_id, body = await context.ask.raw(
        ready.body, endpoint=ready.endpoint, max_output_tokens=most_tokens
    )
    answer = {"status_code": status, "request_id": request_id, "body": body}
    if context.params.get("require_ok"):
        require_completion(answer)
    return answer


@cache
def _offered() -> tuple[Endpoints, int]:
    settings = load_settings(stores=False)
    return endpoints_of(settings), settings.chat_max_output_tokens


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BodyRefused("chat_body_invalid", f"The body is not JSON: {error}.") from error


capability = assemble(facts.MANIFEST, facts.output, run)
