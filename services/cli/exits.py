"""What the command line's exit codes mean, and the errors that lead to them."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; a script may rely on them."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    CANCELLED = 4
    UNREACHABLE = 5
    REFUSED = 6
    ALREADY_RUNNING = 7
    INTERRUPTED = 130


MEANINGS = {
    Exit.SUCCEEDED: "all went well; a watched job succeeded",
    Exit.FAILED: "a watched job failed, or something broke",
    Exit.USAGE: "the command was not understood, or a file or setting is wrong",
    Exit.PARTIAL: "a watched job ended partial: some units have no result",
    Exit.CANCELLED: "a watched job was cancelled",
    Exit.UNREACHABLE: "no API answered",
    Exit.REFUSED: "the API refused the request",
    Exit.ALREADY_RUNNING: "another `apwa up` owns the directory",
    Exit.INTERRUPTED: "stopped by Ctrl-C; a submitted job goes on",
}

OF_STATUS = {
    "succeeded": Exit.SUCCEEDED,
    "partial": Exit.PARTIAL,
    "failed": Exit.FAILED,
    "cancelled": Exit.CANCELLED,
}


class CommandError(Exception):
    """Ends the command with a sentence for the person and a code for the script."""

    def __init__(self, text: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(text)
        self.code = code


def table_of_codes() -> str:
    """Return the table shown under `apwa --help`."""
    lines = [f"{code.value:>4}  {meaning}" for code, meaning in MEANINGS.items()]
    return "Exit codes:\n\n" + "\n\n".join(lines)
