"""Every setting is in .env.example, and nothing else reads the environment."""

import ast
from pathlib import Path

from shared.settings import describe_settings

ROOT = Path(__file__).parents[2]


def test_the_example_file_is_what_the_settings_say():
    written = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert written == describe_settings(), "run: python -m shared.settings > .env.example"


def test_only_the_settings_read_the_environment():
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("shared", "services")
        for path in (ROOT / folder).rglob("*.py")
        if _reads_environment(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert readers == {"shared/settings.py"}


def _reads_environment(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "getenv", "environb"}
        for node in ast.walk(tree)
    )
