"""Whether the answer to a ready body is a chat completion: pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.model_call import ANSWER_NOT_OK, OF_ENDPOINT_STATUS
from shared.llm.failures import failure_of

_SHOWN = 500


class AnswerNotOk(Exception):
    """The endpoint answered, but not with a completion; `raw` is the whole answer as JSON.

    `code` is ``answer_not_ok``; ``permanent`` where it says more of the endpoint's key or model
    than of the request, so that ten of them stop a job without success; ``bad_response``, tried
    again, for what says it is fine and is no completion.
    """

    def __init__(self, code: str, detail: str, raw: str) -> None:
        super().__init__(detail)
        self.code, self.raw = code, raw
        self.transient = code == "bad_response"


def require_completion(answer: Mapping[str, Any]) -> None:
    """Raise AnswerNotOk unless an answer of `chat` is a completion with status 2xx."""
    status, body = answer["status_code"], answer["body"]
    if 200 <= status < 300:
        if isinstance(body, Mapping) and isinstance(body.get("choices"), list):
            return
        detail = f"HTTP {status}, and the body is no chat completion."
        raise AnswerNotOk("bad_response", detail, _raw(answer))
    code = "permanent" if status in OF_ENDPOINT_STATUS else ANSWER_NOT_OK
    raise AnswerNotOk(code, _told(status, body), _raw(answer))


def _told(status: int, body: Any) -> str:
    return failure_of(status, {}, orjson.dumps(body)).detail[:_SHOWN]


def _raw(answer: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(answer)).decode()
