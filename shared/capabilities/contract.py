"""The duck-typed contract of a capability; packages outside need not import it.

A capability is any object found through the entry point group ``apwa.capabilities`` with these
attributes. `params` is a JSON Schema of the stage's parameters. `units` names the kinds of unit
it takes. `queue` is ``model`` (waits) or ``cpu`` (computes). `runs` is ``loop`` (an ``async def
run`` on the event loop) or ``process`` (a plain function in a killable child process). `output`
is the JSON Schema of one output row, or a pure function of the input columns and the parameters
that returns it, or None where the plan's stage has to say it. `emits` (optional, default ``one``)
says whether a unit yields one row or many. `reusable` (optional, default True) is False where equal
units may not share an answer, because it changes with time; or a function of the parameters that
says so.

An exception raised by `run` is an outcome: its attributes ``code`` (str), ``transient`` (bool,
default False) and ``retry_after_s`` (float) are honoured where present. So are ``outcome``
(``failed``, ``invalid`` or ``refused``; what the unit becomes), ``burns`` (False: the try does not
count against the unit's retries), ``decided`` (True: `retry_after_s` is the whole pause), ``raw``
(str, kept with the attempt), ``pause`` (a reason, for which the whole job pauses) and ``model``
(str, the one that was asked, shown while the unit waits for another try).

A capability with queue ``model`` may have ``pack(params) -> int`` and ``async run_pack(units,
contexts)``, which returns one answer or exception per unit: several units then share one call.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.domain.model_call import Reply

Columns = list[dict[str, str]]  # [{"name": ..., "type": ...}], types as in shared.domain.columns
OutputFunction = Callable[[Mapping[str, Columns], dict[str, Any]], dict[str, Any]]


class TableHandle(Protocol):
    """A whole input table, read lazily (given to capabilities that take ``table`` units)."""

    columns: Columns

    def batches(self) -> Iterator[Any]:
        """Yield pyarrow RecordBatches in row order, about 1 MB each."""
        ...


@dataclass(frozen=True, slots=True)
class Unit:
    """What one subtask sees. `rows` are its own rows, JSON-ready; `before`/`after` are context.

    `key` holds the group key (empty but for groups). `tables` maps the names of the stage's
    inputs to handles, for capabilities with ``table`` units that declare ``reads = "tables"``;
    `rows` is empty for those.
    """

    index: int
    rows: list[dict[str, Any]]
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    key: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, TableHandle] = field(default_factory=dict)


class Ask(Protocol):
    """The worker's door to the models: limits, budget, retries, fallbacks and accounts are kept."""

    async def __call__(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        endpoint: str = "worker",
        schema: dict[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | Mapping[str, Any] | None = None,
        max_output_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Reply:
        """Return a complete answer; raise what ends the attempt, with the attributes above."""
        ...

    async def raw(
        self,
        body: Mapping[str, Any],
        *,
        endpoint: str = "worker",
        max_output_tokens: int | None = None,
    ) -> tuple[int, str | None, Any]:
        """Send a ready chat body as is; return (status, request id, decoded body).

        `max_output_tokens` is put into a body that sets no limit of its own.
        """
        ...

    def context_tokens(self, endpoint: str) -> int:
        """Return how many tokens the endpoint's model takes at most, in and out together."""
        ...


@dataclass(frozen=True, slots=True)
class Returned:
    """What `run` may return instead of bare rows: with a text kept as the attempt's raw answer."""

    rows: Any
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a subtask is told besides its unit.

    `prompt` is the rendered template (None without one); `timeout_s` the wall-clock limit of this
    attempt in seconds; `idempotency_key` is stable over attempts of the same unit and replica.
    """

    params: dict[str, Any]
    brief: str
    prompt: str | None
    instructions: str | None
    output: dict[str, Any]
    attempt: int
    replica: int
    timeout_s: float
    idempotency_key: str
    ask: Ask | None = None  # given to capabilities of the queue ``model``
    render: Callable[[list[dict[str, Any]]], str] | None = None  # the prompt for a part of the rows


class Capability(Protocol):
    """The attributes a capability object has (see the module text)."""

    name: str
    version: str
    description: str
    params: dict[str, Any]
    units: tuple[str, ...]
    queue: str
    runs: str
    effects: str
    output: dict[str, Any] | OutputFunction | None

    def run(self, unit: Unit, context: Context) -> Any:
        """Return one output row (dict) or, where it emits many, a list of them."""
        ...


def is_reusable(capability: object, params: Mapping[str, Any]) -> bool:
    """Return True where a unit may take over the answer to an equal one, in a stage of `params`."""
    told = getattr(capability, "reusable", True)
    return told(params) is True if callable(told) else told is True


@dataclass(frozen=True, slots=True)
class Manifest:
    """What workers write into Postgres of a capability; api and planner lint from it.

    `output` is None when the schema is computed by a function (`computed_output`).
    """

    name: str
    version: str
    description: str
    params: dict[str, Any]
    units: tuple[str, ...]
    queue: str
    runs: str
    effects: str
    emits: str
    output: dict[str, Any] | None
    computed_output: bool
    reads: str = "rows"  # "tables": gets table handles instead of rows
    reusable: bool = True  # equal units may always share an answer, whatever the parameters

    def to_json(self) -> dict[str, Any]:
        """Return the form stored in ``capabilities.manifest``."""
        return {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "params": self.params,
            "units": list(self.units),
            "queue": self.queue,
            "runs": self.runs,
            "effects": self.effects,
            "emits": self.emits,
            "output": self.output,
            "computed_output": self.computed_output,
            "reads": self.reads,
            "reusable": self.reusable,
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Manifest":
        """Read what `to_json` wrote."""
        return Manifest(**{**value, "units": tuple(value["units"])})
