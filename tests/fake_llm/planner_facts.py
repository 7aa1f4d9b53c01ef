"""What the fake planner knows of a job: what it parsed out of the prompt, no more."""

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table as the prompt describes it."""

    name: str
    rows: int
    columns: list[dict[str, Any]]
    key: str | None = None

    def longest_text(self) -> str | None:
        """Return the text column with the longest values; without sizes, the last one."""
        texts = [column for column in self.columns if column.get("type") == "string"]
        if not texts:
            return self.columns[0]["name"] if self.columns else None
        sized = [column for column in texts if column.get("mean_chars")]
        if sized:
            return str(max(sized, key=lambda column: column["mean_chars"])["name"])
        return str(texts[-1]["name"])

    def group_column(self) -> str | None:
        """Return a column worth grouping by: few distinct values, and not the text itself."""
        usable = [
            column
            for column in self.columns
            if column.get("type") != "json"
            and column["name"] not in (self.key, self.longest_text())
            and 1 < column.get("distinct", 0) <= max(2, self.rows // 2)
        ]
        return min(usable, key=lambda column: column["distinct"])["name"] if usable else None

    def free_name(self, wanted: str) -> str:
        """Return a column name the table does not have."""
        taken = {column["name"] for column in self.columns}
        return wanted if wanted not in taken else self.free_name(f"{wanted}_new")


@dataclass(frozen=True)
class Facts:
    """Everything the fake planner knows: what the prompt said, no more."""

    goal: str
    tables: list[Table]
    capabilities: list[str]
    has_findings: bool
    rounds: list[dict[str, Any]] = field(default_factory=list)
    findings: frozenset[str] = frozenset()  # codes the linter gave back
    parameters: dict[str, frozenset[str]] = field(default_factory=dict)  # by capability

    def asks(self, words: str) -> bool:
        """Return True when the goal holds the words."""
        return words in self.goal.lower()

    def table(self) -> Table:
        """Return the table the goal names, else the largest; one that does not exist if none."""
        chosen = self.named() or self.tables or [Table("table_the_prompt_lost", 0, [])]
        return max(chosen, key=lambda item: item.rows)

    def named(self) -> list[Table]:
        """Return the tables whose names are words of the goal."""
        return [
            item for item in self.tables if re.search(rf"\b{re.escape(item.name)}\b", self.goal)
        ]

    def made(self, name: str) -> Table:
        """Return the table of this name, without columns if the prompt does not tell of it."""
        return next((item for item in self.tables if item.name == name), Table(name, 0, []))

    def capability(self, name: str, *parameters: str) -> str:
        """Return a capability the prompt offers with these parameters, else one that is none."""
        offered = name in self.capabilities
        if offered and self.parameters.get(name, frozenset()).issuperset(parameters):
            return name
        return "capability_the_prompt_lost"

    def model_capability(self) -> str:
        """Return `llm` if the prompt offers it, else what it offers first."""
        if "llm" in self.capabilities:
            return "llm"
        return self.capabilities[0] if self.capabilities else "capability_the_prompt_lost"
