"""What `apwa plan lint` knows on this machine: installed capabilities, and files as tables."""

from pathlib import Path

from services.cli.exits import CommandError
from services.cli.uploads import Input
from shared.actions.facts import output_of
from shared.capabilities import builtin, registry
from shared.capabilities.builtin.agent import tools_of
from shared.plans.facts import BUILT_INS, Limits, PlanFacts, TableFacts
from shared.settings import Settings
from shared.tables.reading import Reading, ReadLimits, Unreadable, read_file, read_folder
from shared.tables.sample import SampleRows
from shared.tables.statistics import TableStatistics


def local_facts(inputs: list[Input], settings: Settings) -> PlanFacts:
    """Return the facts for a plan over these files; raises CommandError for an unreadable one."""
    found = registry.discover().capabilities
    manifests = {name: registry.manifest_of(capability) for name, capability in found.items()}
    return PlanFacts(
        tables={
            source.name: _table_facts(source.path, settings) for source in inputs if source.path
        },
        capabilities=manifests,
        known=BUILT_INS | frozenset(manifests),
        limits=Limits(
            max_stages=settings.max_stages,
            max_subtasks=settings.max_subtasks,
            tools=tools_of(manifests.values()),
        ),
        output_of=output_of,
        check_params=builtin.check_params,
    )


def _table_facts(path: Path, settings: Settings) -> TableFacts:
    limits = ReadLimits(wall_s=settings.read_wall_s, memory_bytes=settings.read_memory_bytes)
    statistics, sample, rows = TableStatistics(), SampleRows(), 0
    try:
        with _open(path, limits) as reading:
            for batch in reading.batches():
                statistics.add(batch)
                sample.add(batch)
                rows += batch.num_rows
            columns = reading.columns
    except Unreadable as error:
        raise CommandError(f"{path} cannot be read: {error.detail}") from error
    known = {
        name: facts
        for name, facts in statistics.result().items()
        if isinstance(facts, dict) and "distinct" in facts
    }
    return TableFacts(
        columns=tuple(columns),
        rows=rows,
        distinct={name: facts["distinct"] for name, facts in known.items()},
        mean_chars={
            name: facts["mean_length"]
            for name, facts in known.items()
            if facts.get("mean_length") is not None
        },
        samples=tuple(
            {name: value for name, value in row.items() if name != "_row"}
            for row in sample.result()
        ),
    )


def _open(path: Path, limits: ReadLimits) -> Reading:
    if path.is_dir():
        return read_folder(path, limits=limits)
    return read_file(path, name=path.name, format=None, limits=limits)
