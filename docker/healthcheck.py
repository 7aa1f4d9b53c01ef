"""Tells Docker whether the service of a container works: `healthcheck.py SERVICE`."""

import sys
import urllib.error
import urllib.request

import psycopg

from shared.settings import Settings, load_settings

SILENT_S = 60
TIMEOUT_S = 5
# Every service asks the database something every few seconds, so a session of its own that has
# been silent for long belongs to a process that hangs.
RECENTLY_ACTIVE = """
    SELECT EXISTS (
        SELECT 1 FROM pg_stat_activity
        WHERE application_name = %s
          AND client_addr IS NOT DISTINCT FROM inet_client_addr()
          AND state_change > clock_timestamp() - make_interval(secs => %s)
    )
"""


def main(service: str) -> int:
    """Return 0 when the service works, 1 when it does not (with the reason on stderr)."""
    settings = load_settings()
    try:
        problem = _api_problem(settings) if service == "api" else _problem(settings, service)
    except (OSError, psycopg.Error) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        sys.stderr.write(f"{problem}\n")
    return 1 if problem else 0


def _api_problem(settings: Settings) -> str | None:
    address = f"http://127.0.0.1:{settings.api_port}/readyz"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        return error.read(2_000).decode("utf-8", "replace")


def _problem(settings: Settings, service: str) -> str | None:
    address = f"postgresql://{settings.database_url.partition('://')[2]}"
    with psycopg.connect(address, connect_timeout=TIMEOUT_S) as connection:
        found = connection.execute(RECENTLY_ACTIVE, (f"apwa-{service}", SILENT_S)).fetchone()
    if found is not None and found[0]:
        return None
    return f"the {service} has not asked the database anything for {SILENT_S} seconds"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
