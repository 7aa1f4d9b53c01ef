"""Why an exchange with a stranger's server gave nothing, in the terms of an outcome."""


class WebError(Exception):
    """No answer that can be used.

    `code` is ``address_not_allowed``, ``too_many_redirects``, ``unreachable``, ``timeout``,
    ``too_large``, ``bad_response``, ``not_text`` or ``busy``; `transient` tells that trying again
    may help, `retry_after_s` when.
    """

    def __init__(
        self, code: str, detail: str, *, transient: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.transient = transient
        self.retry_after_s = retry_after_s


def not_allowed(detail: str) -> WebError:
    """Return the refusal of an address; nothing was sent to it."""
    return WebError("address_not_allowed", detail)
