"""`apwa plan show, put, approve, reject`: the plan of a job, and the yes or no to it."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import Json
from services.cli.given_files import read_object
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say

JobId = Annotated[str, typer.Argument(help="Id of a job, job_...")]
Hash = Annotated[str, typer.Argument(help="Hash of the plan that was read; `plan show` tells it.")]


def show(
    job_id: JobId,
    version: Annotated[int | None, typer.Option(min=1, help="A former version.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show the plan of a job: its stages, findings, price and hash; with --json all of it."""
    found = require_client(folder).do("get_plan", job_id=job_id, version=version)
    if as_json:
        print_json(found)
        return
    out.print(f"version {found['version']} by {found['engine']}, hash {found['hash']}")
    for stage in found["plan"].get("stages") or []:
        over = stage["over"] if isinstance(stage["over"], str) else ", ".join(stage["over"])
        out.print(f"  {stage['name']}: {stage['capability']} over {over}", markup=False)
    for finding in found["findings"]:
        out.print(f"  {finding['severity']}  {finding['detail']}", markup=False)
    out.print(f"  price: {_price(found['price'])}", markup=False)


def put(
    job_id: JobId,
    plan_hash: Hash,
    file: Annotated[Path, typer.Argument(help="Another plan as JSON.")],
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Put another plan in place of one that awaits approval; it awaits approval too."""
    made = require_client(folder).do(
        "put_plan", job_id=job_id, body={"plan": read_object(file)}, if_match=f'"{plan_hash}"'
    )
    if as_json:
        print_json(made)
        return
    say(f"version {made['version']} awaits approval; apwa plan approve {job_id} {made['hash']}")


def approve(
    job_id: JobId, plan_hash: Hash, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False
) -> None:
    """Say yes to the plan with this hash, and to no other; the job runs."""
    client = require_client(folder)
    _told(client.do("approve_plan", job_id=job_id, if_match=f'"{plan_hash}"'), as_json)


def reject(
    job_id: JobId,
    reason: Annotated[str | None, typer.Option(help="Why; it becomes the job's error.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Say no to the plan; the job ends as failed."""
    _told(require_client(folder).do("reject_plan", job_id=job_id, body={"reason": reason}), as_json)


def _told(job: Json, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    say(f"{job['id']} is {job['status']}")


def _price(price: Json) -> str:
    told = [f"{name} {value}" for name, value in price.items() if isinstance(value, (int, float))]
    return ", ".join(told) or "nothing to tell"
