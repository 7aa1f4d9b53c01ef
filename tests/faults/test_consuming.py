"""A process outlives what Celery calls unrecoverable, and still stops when told."""

import signal
import subprocess
import sys
from pathlib import Path

from services.cli.embedded.datastores import Datastores
from shared.broker.app import make_app
from tests.eventually import eventually
from tests.stack import ROOT


def test_consuming_begins_anew_after_an_error_of_the_transport(
    stores: Datastores, tmp_path: Path
) -> None:
    # given a consumer whose transport fails twice
    journal, log = tmp_path / "journal", tmp_path / "log"
    journal.touch()
    command = [sys.executable, "-m", "tests.faults.stumbling_consumer"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, stores.redis_url, str(journal)], cwd=ROOT, stdout=output, stderr=output
        )
    try:
        # when messages come one after the other, then each arrives
        app = make_app("tests", stores.redis_url)
        for number in range(4):
            app.send_task("told", args=[number], queue="stumbling")
            told = f"{number}\n"
            eventually(lambda told=told: told in journal.read_text(), within=30)
        assert log.read_text().count("consuming_again") == 2

        # and told to stop, it stops
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
