"""`python -m services.api` serves the HTTP interface."""

import sys

from services.api.server import Server
from shared.log import configure_logging
from shared.settings import SettingsError, load_settings


def main() -> int:
    """Read the settings and serve until told to stop."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(settings, "api")
    Server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
