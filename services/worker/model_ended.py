"""What ends an attempt at a model call, with the attributes the capability contract honours."""

from typing import Any

from shared.domain.model_call import CallFailure


class ModelEndedError(Exception):
    """An attempt ended without a usable answer; the attributes say what follows.

    `failure` is there when it was a call that failed: capabilities look at its kind. `model` is
    what a postponed unit waits for.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        outcome: str = "failed",
        transient: bool = False,
        retry_after_s: float | None = None,
        decided: bool = False,
        burns: bool = True,
        raw: str | None = None,
        pause: dict[str, Any] | None = None,
        failure: CallFailure | None = None,
        model: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.outcome, self.transient = code, outcome, transient
        self.retry_after_s, self.decided, self.burns = retry_after_s, decided, burns
        self.raw, self.pause, self.failure = raw, pause, failure
        self.model = model
