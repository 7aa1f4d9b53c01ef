"""Checks an address when somebody gives it, long before anything is sent there."""

import asyncio

from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.net.web_address import read_address


def require_allowed(url: str, guard: Guard, within_s: float = 3.0) -> None:
    """Raise WebError ``address_not_allowed`` for what may never be sent to.

    A name that cannot be looked up now is let through: names come and go, and every sending
    checks again. Blocks for at most `within_s`.
    """
    address = read_address(url)
    loop = asyncio.new_event_loop()  # not asyncio.run: that waits for a look-up that hangs
    try:
        loop.run_until_complete(asyncio.wait_for(guard.check(address), within_s))
    except TimeoutError:
        return
    except WebError as error:
        if error.code == "address_not_allowed":
            raise
    finally:
        loop.close()
