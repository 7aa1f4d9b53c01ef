"""Which addresses webhooks may go to: by the guard, and loopback where a setting allows it."""

from shared.actions.refusals import FieldProblem, Invalid
from shared.net.addresses import parse_networks
from shared.net.check_now import require_allowed
from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.settings import Settings

_LOOPBACK = parse_networks("127.0.0.0/8, ::1/128")


def webhook_guard(settings: Settings) -> Guard:
    """Return the guard that creating and sending have in common."""
    allowed = parse_networks(settings.allow_networks)
    return Guard(allowed + _LOOPBACK if settings.webhook_loopback else allowed)


def require_address(settings: Settings, url: str, pointer: str) -> None:
    """Raise Invalid `address_not_allowed` where the guard would never let a webhook go."""
    try:
        require_allowed(url, webhook_guard(settings))
    except WebError as error:
        detail = (
            f"{error.detail} An operator can allow networks that are not public with "
            "APWA_ALLOW_NETWORKS, and this machine itself with APWA_WEBHOOK_LOOPBACK."
        )
        raise Invalid([FieldProblem(pointer, detail)], "address_not_allowed") from error
