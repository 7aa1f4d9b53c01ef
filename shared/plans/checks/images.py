"""Columns of images: are they there, are they text, and does the model take what they hold."""

from collections.abc import Iterator

from shared.contracts.findings import Finding, error
from shared.contracts.names import did_you_mean
from shared.plans.price import DEFAULT_MODEL
from shared.plans.view import PlanView, StageView

JUDGE = "judge"  # the endpoint that chooses between replicas


def check_images(view: PlanView) -> Iterator[Finding]:
    """Yield findings on `params.images` of all stages; a wrong shape is told elsewhere."""
    for stage in view.stages():
        named = stage.stage.params.get("images")
        if isinstance(named, list) and named and _takes_images(stage):
            yield from _columns(stage, named)
            yield from _endpoints(view, stage)


def _takes_images(stage: StageView) -> bool:
    manifest = stage.manifest
    return manifest is not None and "images" in manifest.params.get("properties", {})


def _columns(stage: StageView, named: list[object]) -> Iterator[Finding]:
    if stage.columns is None:
        return
    for position, name in enumerate(named):
        pointer = stage.pointer("params", "images", position)
        column = stage.column(str(name))
        if column is None:
            known = [one.name for one in stage.columns]
            detail = f"`{stage.stage.over[0]}` has no column `{name}`."
            yield error("unknown_column", pointer, detail + did_you_mean(str(name), known))
        elif column.type != "string":
            detail = (
                f"`{name}` is of type {column.type}; images stand in a text column, as "
                "`data:image/png;base64,...`."
            )
            yield error("image_column_not_text", pointer, detail)


def _endpoints(view: PlanView, stage: StageView) -> Iterator[Finding]:
    model = stage.stage.params.get("model", DEFAULT_MODEL)
    asked = [(str(model), stage.pointer("params", "images"))]
    if stage.stage.agree == JUDGE:
        asked.append((JUDGE, stage.pointer("agree")))
    for name, pointer in asked:
        if name in view.facts.without_images:
            detail = (
                f"A probe found that the endpoint of `{name}` takes no images; name another in "
                "`params.model`, or leave the images out."
            )
            yield error("images_not_supported", pointer, detail)
