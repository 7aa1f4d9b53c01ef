"""The documents say what the code is: folders, states, functions, tests, settings, commands."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from services.cli.app import app as command_line
from services.cli.exits import Exit
from shared.capabilities import builtin
from shared.messages.collect_job import CollectJob
from shared.messages.deliver_events import DeliverEvents
from shared.messages.dispatch_job import DispatchJob
from shared.messages.plan_job import PlanJob
from shared.messages.run_shard import RunShard
from shared.settings import Settings, env_name

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench").glob("*.md")])
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
MIGRATIONS = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "alembic" / "versions").glob("[0-9]*.py"))
)
GENERATED = {"__pycache__", "out"}

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def test_the_code_map_names_every_folder_and_no_other() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", _section("## Code map"), re.MULTILINE)

    assert sorted(rows) == sorted(_packages() | _other_folders())


@pytest.mark.parametrize(
    ("heading", "table"), [("### Job", "jobs"), ("### Stage", "stages"), ("### Shard", "shards")]
)
def test_the_diagram_shows_every_state_the_database_allows(heading: str, table: str) -> None:
    diagram = _section(heading).partition("```mermaid")[2].partition("```")[0]
    arrows = re.findall(r"^ *(\S+) --> (\S+)$", diagram, re.MULTILINE)
    unused = re.findall(r"^ *state \".*\" as (\w+)$", diagram, re.MULTILINE)
    shown = {state for arrow in arrows for state in arrow if state != "[*]"} | set(unused)

    assert shown == _allowed_states(table)


@pytest.mark.parametrize("heading", ["### Job", "### Stage", "### Shard"])
def test_every_function_of_a_transition_exists(heading: str) -> None:
    named = re.findall(r"`(jobs|job_control|stages|shards)\.(\w+)`", _section(heading))

    assert named
    assert [name for name in named if not _function_of_database(*name)] == []


def test_every_table_of_the_database_is_told() -> None:
    told = re.findall(r"^\| `(\w+)` \|", _section("## The database"), re.MULTILINE)

    assert sorted(told) == sorted(re.findall(r"^ *CREATE TABLE (\w+)", MIGRATIONS, re.MULTILINE))


def test_every_message_is_told() -> None:
    told = re.findall(r"^\| `(\w+)\(\w+\)` \|", _section("## Messages"), re.MULTILINE)

    messages = (CollectJob, DeliverEvents, DispatchJob, PlanJob, RunShard)
    assert sorted(told) == sorted(message.NAME for message in messages)


@page
def test_every_test_that_is_named_exists(path: Path) -> None:
    written = "".join(
        file.read_text(encoding="utf-8")
        for file in (ROOT / "tests").rglob("test_*.py")
        if file != Path(__file__)
    )
    defined = set(re.findall(r"def (test_\w+)\(", written))
    named = set(re.findall(r"`(test_\w+)`", _text(path)))
    examples = {"test_a_quoted_newline_stays_in_its_row"}

    assert named - defined - examples == set()


@page
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", _without_code(_text(path)))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]

    assert [link for link in local if not _leads_somewhere(path, link)] == []


@page
def test_every_path_of_the_project_exists(path: Path) -> None:
    named = re.findall(
        r"`((?:alembic|bench|clients|docker|docs|examples|services|shared|tests)/[^`*]*)`",
        _text(path),
    )
    patterns = [name for name in named if not re.search(r"[A-Z]{2,}|000N|bench/out", name)]

    assert [name for name in patterns if not (ROOT / name).exists()] == []


@page
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(r"\bAPWA_[A-Z_]+\b", _text(path)))

    assert named - {env_name(name) for name in Settings.__dataclass_fields__} == set()


@page
def test_every_make_target_exists(path: Path) -> None:
    word = r"[a-z]+(?:-[a-z]+)*"
    targets = re.findall(rf"^({word}):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = set(re.findall(rf"^make ({word})|`make ({word})", _text(path), re.MULTILINE))

    assert {first or second for first, second in named} - set(targets) == set()


@page
def test_every_command_of_the_command_line_exists(path: Path) -> None:
    commands = _commands()
    word = r"[a-z]+(?:-[a-z]+)*"
    said = rf"(?:^|`|bin/|api )apwa ({word})(?: ({word}))?"
    words = re.findall(said, _text(path), re.MULTILINE)

    wrong = [word for word in words if word[0] not in commands]
    wrong += [word for word in words if (found := commands.get(word[0])) and word[1] not in found]
    assert wrong == []


def test_every_exit_code_is_told() -> None:
    told = re.findall(r"^\| (\d+) \|", _text(ROOT / "docs" / "operations.md"), re.MULTILINE)

    assert [int(code) for code in told] == [code.value for code in Exit]


def test_every_capability_is_told_where_it_is_promised() -> None:
    can = _text(ROOT / "README.md").partition("## What it cannot do yet")[0]

    assert [name for name in builtin.NAMES if f"`{name}`" not in can] == []


def test_the_plan_of_the_tutorial_is_sound(tmp_path: Path) -> None:
    tutorial = _text(ROOT / "docs" / "tutorial.md")
    (tmp_path / "tickets.csv").write_text(_block(tutorial, "csv"), encoding="utf-8")
    (tmp_path / "plan.json").write_text(_block(tutorial, "json", '"stages"'), encoding="utf-8")

    arguments = ["plan", "lint", str(tmp_path / "plan.json"), "-i", str(tmp_path / "tickets.csv")]
    ended = CliRunner().invoke(command_line, arguments)

    assert ended.exit_code == 0, ended.output


@pytest.mark.parametrize("folder", ["alembic", "bench", "clients", "docker", "services", "shared"])
def test_every_module_says_its_reason(folder: str) -> None:
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*.py")
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]

    assert silent == []


def _packages() -> set[str]:
    return {
        file.parent.relative_to(ROOT).as_posix()
        for root in ("clients/python/apwa_client", "services", "shared")
        for file in (ROOT / root).rglob("__init__.py")
    }


def _other_folders() -> set[str]:
    """Folders outside the packages, two levels deep, that hold files of ours."""
    names = (".ci", "alembic", "bench", "docker", "docs", "examples", "tests")
    roots = [ROOT / name for name in names]
    below = [path for root in roots for path in root.iterdir() if path.is_dir()]
    return {
        path.relative_to(ROOT).as_posix()
        for path in (*roots, *below)
        if path.name not in GENERATED and any(file.is_file() for file in path.rglob("*"))
    }


def _section(heading: str) -> str:
    """Return what stands below a heading of ARCHITECTURE.md, up to the next of its level."""
    level = heading.partition(" ")[0]
    start = ARCHITECTURE.index(f"\n{heading}\n") + len(heading) + 2
    end = re.search(rf"^#{{2,{len(level)}}} ", ARCHITECTURE[start:], re.MULTILINE)
    return ARCHITECTURE[start : start + end.start()] if end else ARCHITECTURE[start:]


def _allowed_states(table: str) -> set[str]:
    created = re.search(rf"CREATE TABLE {table} \((.*?)\n\)", MIGRATIONS, re.DOTALL)
    assert created
    check = re.search(r"\n  status text.*?CHECK \(status IN \((.*?)\)\)", created[1], re.DOTALL)
    assert check
    return set(re.findall(r"'(\w+)'", check[1]))


def _function_of_database(module: str, name: str) -> bool:
    return callable(getattr(importlib.import_module(f"shared.database.{module}"), name, None))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _without_code(text: str) -> str:
    return re.sub(
        r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )


def _block(text: str, language: str, holding: str = "") -> str:
    """Return the first fenced block of a language that holds some text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(next(block for block in blocks if holding in block))


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _text(path), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def _alone(command: object) -> set[str]:
    """Return the empty word for a command with sub-commands that does something without one."""
    return {""} if getattr(command, "invoke_without_command", False) else set()


def _commands() -> dict[str, set[str]]:
    """Return the sub-commands of each command; none for a command that has no further ones."""
    found = get_command(command_line)
    return {
        name: {*getattr(command, "commands", {}), *_alone(command)}
        for name, command in getattr(found, "commands", {}).items()
    }
