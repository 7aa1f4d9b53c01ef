"""The blocking half of the client is what its asynchronous half says."""

import importlib.util
from pathlib import Path
from types import ModuleType

CLIENT = Path(__file__).parents[2] / "clients" / "python"


def test_the_blocking_client_is_written_from_the_asynchronous_one() -> None:
    writer = _writer()

    stale = [
        path.relative_to(CLIENT).as_posix()
        for path, text in writer.blocking_modules().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]

    assert stale == [], "run: python clients/python/write_blocking.py"


def test_the_blocking_client_has_no_module_of_its_own_but_the_ways_to_wait() -> None:
    package = CLIENT / "apwa_client"
    names = [
        {path.relative_to(package / half).as_posix() for path in (package / half).rglob("*.py")}
        for half in ("aio", "blocking")
    ]

    assert names[0] == names[1]


def _writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_blocking", CLIENT / "write_blocking.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
