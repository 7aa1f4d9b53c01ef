"""Capabilities as a stranger would write them: nothing of APWA is imported."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sqlite3
import sys
import threading
import time
from types import SimpleNamespace

FIELD = {"type": "object", "properties": {"field": {"type": "string"}}, "required": ["field"]}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


class Unwell(Exception):
    """Ends a unit in the way its attributes say."""

    def __init__(self, text, code, transient=False, retry_after_s=None):
        super().__init__(text)
        self.code, self.transient, self.retry_after_s = code, transient, retry_after_s


def run_shout(unit, context):
    return {"shouted": unit.rows[0][context.params["field"]].upper() + "!"}


async def run_whisper(unit, context):
    await asyncio.sleep(0)
    return {"whispered": unit.rows[0][context.params["field"]].lower()}


def run_echo(unit, context):
    """Tell what the subtask was given."""
    field = context.params["field"]
    return {
        "own": [row[field] for row in unit.rows],
        "before": [row[field] for row in unit.before],
        "after": [row[field] for row in unit.after],
        "prompt": context.prompt,
        "told": context.instructions,
    }


def run_vote(unit, context):
    """Each replica gives its own entry of the row's list."""
    return {"choice": unit.rows[0]["votes"][context.replica]}


def run_moody(unit, context):
    row = unit.rows[0]
    note(context, unit)
    do = row["do"]
    if do == "hang":
        time.sleep(600)
    elif do == "nap":
        time.sleep(row["nap_s"])
    elif do == "burn":
        ends_at = time.monotonic() + row["nap_s"]
        while time.monotonic() < ends_at:
            sum(range(10_000))
    elif do == "wait":
        while not os.path.exists(context.params["gate"]):
            time.sleep(0.02)
    elif do == "kill_child":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "kill_worker":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    elif do == "unsendable":
        return {"said": threading.Lock()}
    return said(do, context)


async def run_moody_on_loop(unit, context):
    do = unit.rows[0]["do"]
    note(context, unit)
    if do == "hang":
        await asyncio.sleep(600)
    if do == "hold":
        hold_the_interpreter(unit.rows[0]["nap_s"])
    if do == "cancel":
        raise asyncio.CancelledError
    return said(do, context)


def hold_the_interpreter(seconds):
    """Let no thread of this process run Python meanwhile, as one long call of C does."""
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))


def said(do, context):
    if do == "flaky" and context.attempt == 1:
        raise Unwell("not today", "not_today", transient=True, retry_after_s=0.1)
    if do == "always_flaky":
        raise Unwell("never", "never_well", transient=True)
    if do == "broken":
        raise Unwell("cannot be mended", "beyond_repair")
    if do == "plain_error":
        raise ValueError("a plain \x00 error")
    if do == "exit":
        sys.exit(3)
    wrong = {"wrong_type": {"said": 7}, "extra_column": {"said": "x", "more": 1}, "no_row": 7}
    return wrong.get(do, {"said": f"{do} at attempt {context.attempt}"})


def run_order(unit, context):
    """Act on the outside: a store that takes each idempotency key once, as a payment service does.

    Every try leaves a line in the journal before it acts; the first one of every third unit fails
    after it acted.
    """
    note(context, unit)
    time.sleep(context.params["nap_s"])  # a kill may come before the act, within it, or after it
    store = sqlite3.connect(context.params["store"], timeout=30)
    with contextlib.closing(store), store:
        store.execute(
            "INSERT OR IGNORE INTO orders VALUES (?, ?)", (context.idempotency_key, unit.index)
        )
    time.sleep(context.params["nap_s"])
    if unit.index % 3 == 0 and context.attempt == 1:
        raise Unwell("acted, and then lost the answer", "no_answer", transient=True)
    return {"order": context.idempotency_key}


async def run_order_on_loop(unit, context):
    return await asyncio.to_thread(run_order, unit, context)


def note(context, unit):
    """Append the unit's number to the journal: one line per run."""
    if "journal" in context.params:
        with open(context.params["journal"], "a", encoding="utf-8") as journal:
            journal.write(f"{unit.index}\n")


def capability(name, run, params, output, units=("rows",), runs="process", effects="none"):
    return SimpleNamespace(
        name=name,
        version="1",
        description=f"{name}, for the tests",
        params=params,
        units=units,
        queue="cpu",
        runs=runs,
        effects=effects,
        output={
            "type": "object",
            "properties": output,
            "required": list(output),
            "additionalProperties": False,
        },
        run=run,
    )


TEXT, LIST = {"type": "string"}, {"type": "array"}
MOODY = {"type": "object", "properties": {"journal": TEXT, "gate": TEXT}}
shout = capability("shout", run_shout, FIELD, {"shouted": TEXT})
whisper = capability("whisper", run_whisper, FIELD, {"whispered": TEXT}, runs="loop")
echo = capability(
    "echo",
    run_echo,
    FIELD,
    {
        "own": LIST,
        "before": LIST,
        "after": LIST,
        "prompt": {"type": ["string", "null"]},
        "told": {"type": ["string", "null"]},
    },
    units=("rows", "group", "table"),
)
vote = capability("vote", run_vote, NOTHING, {"choice": TEXT})
moody = capability("moody", run_moody, MOODY, {"said": TEXT})
moody_on_loop = capability("moody_on_loop", run_moody_on_loop, MOODY, {"said": TEXT}, runs="loop")
ORDER = {
    "type": "object",
    "properties": {"store": TEXT, "journal": TEXT, "nap_s": {"type": "number"}},
    "required": ["store", "journal", "nap_s"],
}
order = capability("order", run_order, ORDER, {"order": TEXT}, effects="external")
order_on_loop = capability(
    "order_on_loop", run_order_on_loop, ORDER, {"order": TEXT}, runs="loop", effects="external"
)
