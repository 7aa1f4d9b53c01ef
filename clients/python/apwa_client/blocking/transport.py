"""Sends calls: tries again where that is safe, and turns what is no good answer into an error."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from apwa_client.address import Address
from apwa_client.blocking.ways import blocks_of, sleep
from apwa_client.call import Answer, Call
from apwa_client.errors import ApiError, ApiUnreachable, error_of
from apwa_client.retries import NEVER, Retries

USER_AGENT = "apwa-client/0.1.0"
_CONNECT_S = 10.0
_STORED_BYTES_PER_S = 1_000_000  # a large body is answered when it is read and stored
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Transport:
    """One API, one key, a pool of connections. `transport` stands in for the network in tests."""

    def __init__(
        self,
        address: Address,
        retries: Retries,
        timeout_s: float,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.address, self.retries, self._timeout_s = address, retries, timeout_s
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {address.key}", "User-Agent": USER_AGENT},
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
            trust_env=address.may_use_proxy,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call) -> Answer:
        """Return the whole answer. Raises ApiError, ApiUnreachable."""
        response = self._answered(call, whole=True)
        return Answer(response.status_code, response.headers, response.content)

    @contextmanager
    def open(self, call: Call) -> Iterator[httpx2.Response]:
        """Yield an answer whose body is still to be read; a cut on the way is ApiUnreachable."""
        response = self._answered(call, whole=False)
        try:
            yield response
        except httpx2.TransportError as error:
            raise ApiUnreachable(self.address.url, error, sent=True) from error
        finally:
            response.close()

    def _answered(self, call: Call, *, whole: bool) -> httpx2.Response:
        retries, tried = NEVER if call.tells else self.retries, 0
        while True:
            tried += 1
            try:
                return self._try(call, whole=whole)
            except (ApiError, ApiUnreachable) as failure:
                pause_s = retries.pause_s(failure, tried, repeatable=call.repeatable)
                if pause_s is None:
                    raise
            sleep(pause_s)

    def _try(self, call: Call, *, whole: bool) -> httpx2.Response:
        try:
            response = self._http.send(self._request(call), stream=True)
            try:
                good = response.status_code < 300 or response.status_code == 304
                if whole or not good:
                    response.read()
            finally:
                if whole or not good:
                    response.close()
        except httpx2.TransportError as error:
            sent = not isinstance(error, _NOT_SENT)
            raise ApiUnreachable(self.address.url, error, sent=sent) from error
        if not good:
            raise error_of(response.status_code, response.headers, response.content)
        return response

    def _request(self, call: Call) -> httpx2.Request:
        length = call.body.length if call.body else 0
        timeout_s = call.read_timeout_s or self._timeout_s + length / _STORED_BYTES_PER_S
        return self._http.build_request(
            call.method,
            self.address.url + call.target,
            headers=dict(call.headers),
            content=blocks_of(call.body) if call.body else None,
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
        )
