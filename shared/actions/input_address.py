"""Which addresses inputs may be fetched from, looked at before anything is fetched."""

import json

from shared.actions.refusals import FieldProblem, Invalid
from shared.domain.remote_address import WEB, address_problem, parse_prefixes, scheme_of
from shared.net.addresses import parse_networks
from shared.net.check_now import require_allowed
from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.settings import Settings
from shared.tables.remote_file import RemoteFiles

_NETWORKS = "An operator can allow networks that are not public with APWA_ALLOW_NETWORKS."
_PREFIXES = "An operator can allow addresses beside the web with APWA_REMOTE_PREFIXES."


def input_guard(settings: Settings) -> Guard:
    """Return the guard that taking a job in and fetching its inputs have in common."""
    return Guard(parse_networks(settings.allow_networks))


def remote_files(settings: Settings) -> RemoteFiles:
    """Return what the settings allow beside the web."""
    return RemoteFiles(
        prefixes=parse_prefixes(settings.remote_prefixes),
        options=json.loads(settings.remote_options or "{}"),
        most_bytes=settings.upload_max_bytes,
        wall_s=settings.input_wall_s,
    )


def is_web(url: str) -> bool:
    """Tell whether an address is one of the web; what is no address at all counts as one."""
    return scheme_of(url) in WEB or not scheme_of(url)


def require_input_address(
    settings: Settings, url: str, pointer: str, guard: Guard | None = None
) -> None:
    """Raise Invalid `address_not_allowed` where nothing will ever be fetched from an address.

    A name that cannot be looked up now is let through; fetching checks again.
    """
    detail = address_refusal(settings, url, guard)
    if detail is not None:
        raise Invalid([FieldProblem(pointer, detail)], "address_not_allowed")


def address_refusal(settings: Settings, url: str, guard: Guard | None = None) -> str | None:
    """Return why an address is refused, naming the setting that would allow it; None if it is not.

    It is looked up, for at most some seconds.
    """
    if not is_web(url):
        problem = address_problem(url, parse_prefixes(settings.remote_prefixes))
        return None if problem is None else f"{problem} {_PREFIXES}"
    try:
        require_allowed(url, guard or input_guard(settings))
    except WebError as error:
        return f"{error.detail} {_NETWORKS}"
    return None
