"""What planning by a model takes besides the model: `python -m bench.planning_overhead --jobs 20`.

From the job's acceptance to its visible plan of three stages, through the real services, less the
time its planning calls took at the endpoint (a fake one in a process of its own). Writes
`bench/out/planning_overhead.json`.
"""

import argparse
import json
import statistics
import tempfile
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from services.cli.embedded.datastores import Datastores
from shared.settings import Settings, env_name
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import FAST, Stack

OUT = Path(__file__).parent / "out" / "planning_overhead.json"
GOAL = "Build a hierarchy of summaries over the tickets."
MODEL_MS = 300
MOST_S = 2.0


def main() -> None:
    """Measure, print and write; exit with 1 when a job took longer than the design allows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        taken = _measure(Path(folder), given.jobs, given.rows)
    told = {
        "jobs": given.jobs,
        "rows": given.rows,
        "model_ms": MODEL_MS,
        "median_s": round(statistics.median(taken), 3),
        "longest_s": round(max(taken), 3),
        "first_s": round(taken[0], 3),
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(told, indent=2) + "\n")
    print("planning, all but the model:")
    print("\n".join(f"  {name:>10}  {value}" for name, value in told.items()))
    if max(taken) > MOST_S:
        raise SystemExit(f"above {MOST_S} s")


def _measure(folder: Path, jobs: int, rows: int) -> list[float]:
    stores = Datastores(folder / "stores", durable=True)
    stores.start()
    (folder / "stack").mkdir()
    try:
        with FakeModel(folder, latency_ms={"fixed": MODEL_MS}) as model:
            extra = {**_usual(), "OPENAI_BASE_URL": model.base_url, "APWA_MODEL": "fake"}
            stack = Stack(folder / "stack", stores.create_database(), extra=extra)
            try:
                stack.start_all(workers=1)
                return [_plan_once(stack, model, rows) for _ in range(jobs)]
            finally:
                stack.stop()
    finally:
        stores.stop()


def _usual() -> dict[str, str]:
    """Return the settings that tests make faster, as they are by default."""
    names = {env_name(field.name): field.default for field in fields(Settings)}
    return {name: str(names[name]) for name in FAST}


def _plan_once(stack: Stack, model: FakeModel, rows: int) -> float:
    """Return the seconds from `job.accepted` to `job.planned`, less the calls' own time."""
    model.forget()
    inputs = {"tickets": {"rows": [_ticket(no) for no in range(rows)], "key": "id"}}
    job_id = stack.submit({"goal": GOAL, "inputs": inputs, "approval": "plan"})
    path = f"/v1/jobs/{job_id}"
    eventually(lambda: stack.get(path).json["status"] == "awaiting_approval", within=30)
    plan = stack.get(f"{path}/plan").json["plan"]
    if len(plan["stages"]) != 3:
        raise ValueError(f"a plan of {len(plan['stages'])} stages was measured")
    at = {
        event["type"]: datetime.fromisoformat(event["created_at"])
        for event in stack.get(f"{path}/events").json["items"]
    }
    asked = sum(call.ended_at - call.at for call in model.calls() if call.kind == "plan")
    stack.post(f"{path}/cancel")
    stack.wait(job_id)
    return (at["job.planned"] - at["job.accepted"]).total_seconds() - asked


def _ticket(no: int) -> dict[str, Any]:
    return {"id": no, "status": ("open", "closed")[no % 2], "text": f"ticket {no} is not answered"}


if __name__ == "__main__":
    main()
