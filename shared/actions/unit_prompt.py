"""What the model of a stage was shown: the part alike for all units, and the unit's own data."""

from dataclasses import dataclass

from shared.actions.one_rows import OneRows, one_rows_of
from shared.capabilities.contract import Unit
from shared.capabilities.image_labels import without_images
from shared.database.engine import Connection
from shared.database.stages import StageRecord
from shared.domain.stage import StageSpec
from shared.llm.missing_context import may_ask
from shared.plans.render import CompiledTemplate, compile_template, render
from shared.prompts.worker import worker_messages, worker_prefix


@dataclass(frozen=True, slots=True)
class StagePrompt:
    """The prompt of a stage with a template; units are rendered one by one."""

    spec: StageSpec
    system: str
    template: CompiledTemplate
    quoted: OneRows

    def user(self, unit: Unit) -> str:
        """Return the message with the unit's data, as it stands when the unit is asked alone."""
        shown = without_images(unit, self.spec.params)
        text = render(
            self.template, shown.rows, self.spec.unit.single_row, shown.key, self.quoted.rows,
            before=shown.before, after=shown.after,
        )  # fmt: skip
        return worker_messages(self.system, text)[1]["content"]


def stage_prompt(connection: Connection, stage: StageRecord) -> StagePrompt | None:
    """Return the prompt of a stage, None where no model is shown a template.

    Raises LookupError when a table it quotes is gone, StageNotRunnableError when one has many rows.
    """
    spec = StageSpec.from_json(stage.spec)
    if spec.input is None or stage.queue != "model":
        return None
    quoted = one_rows_of(connection, stage, spec)
    system = worker_prefix(
        brief=stage.brief,
        instructions=quoted.instructions or "",
        agent=stage.capability == "agent",
        may_ask=may_ask(spec.params),
    )
    return StagePrompt(spec, system, compile_template(spec.input), quoted)
