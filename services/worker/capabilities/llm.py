"""`llm`: one structured call of a model per unit; several rows per call when packed."""

from services.worker.capabilities.assemble import PackingBuiltIn, fields_of
from services.worker.capabilities.images import with_images
from services.worker.capabilities.llm_call import unit_call, unit_prefix
from services.worker.capabilities.llm_fold import fold, too_long
from services.worker.capabilities.llm_pack import run_pack
from shared.capabilities.builtin import llm as facts
from shared.capabilities.contract import Context, Returned, Unit
from shared.prompts.worker import worker_messages


async def run(unit: Unit, context: Context) -> Returned:
    """Return the model's answer, checked against the stage's schema; long groups are folded."""
    if context.render is not None and len(unit.rows) > 1 and too_long(unit, context):
        return await fold(unit, context)
    told = worker_messages(unit_prefix(context), context.prompt or "")
    answer = await unit_call(context, with_images(told, unit.rows, context.params))
    return Returned(answer.value, answer.raw)


capability = PackingBuiltIn(**fields_of(facts.MANIFEST), output=None, run=run, run_pack=run_pack)
