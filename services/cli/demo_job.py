"""One job of a demonstration, with everything there is to see of it."""

from typing import Any

from services.cli.client import ApiClient, Json
from services.cli.commands.tables import describe
from services.cli.summary import show_summary
from services.cli.terminal import out
from services.cli.uploads import Input, upload_table
from services.cli.watching import watch


def run_demo_job(
    client: ApiClient, goal: str, source: Input, key: str | None = None, **more: Any
) -> Json:
    """Store the input, run the goal over it, show plan and summary; return the job as it ended.

    `more` are further fields of the request, as `planning` and `policy`.
    """
    out.rule(f"[bold]{goal}")
    table = upload_table(client, source)
    out.print(f"stored {describe(table)}", markup=False)
    given = {"table": table["id"]} | ({"key": key} if key else {})
    job = client.post("/v1/jobs", {"goal": goal, "inputs": {source.name: given}, **more})
    job = watch(client, job["id"])
    _show_plan(client, job)
    show_summary(client, job)
    return job


def _show_plan(client: ApiClient, job: Json) -> None:
    if not job.get("plan"):
        return
    answer = client.get(f"/v1/jobs/{job['id']}/plan")
    plan = answer["plan"]
    out.print(f"\nplan, written by the engine `{answer['engine']}`:")
    for stage in plan["stages"]:
        over, unit = stage["over"], stage["unit"]
        shown = ", ".join(over) if isinstance(over, list) else over
        out.print(
            f"  {stage['name']:<20} {stage['capability']:<10} over {shown} {_unit(unit)}",
            markup=False,
        )
    out.print(f"  result: {plan['result']['table']}", markup=False)


def _unit(unit: Json) -> str:
    if "group_by" in unit:
        return f"by {', '.join(unit['group_by'])}"
    if unit.get("table"):
        return "as a whole"
    return "row by row" if unit.get("rows") == 1 else f"{unit.get('rows')} rows at a time"
