"""`python -m tests.soak --minutes 10 --seed 1`: prints what happened; exit code 1 for a problem."""

import argparse
import sys
import tempfile
from pathlib import Path

from services.cli.embedded.datastores import Datastores
from tests.soak.run import soak


def main() -> None:
    """Soak on stores of its own, in a temporary directory."""
    parser = argparse.ArgumentParser(description="Many jobs while things are killed.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=4, help="seconds between faults")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apwa-soak-") as name:
        Path(name).chmod(0o711)
        stores = Datastores(Path(name) / "stores", durable=True)
        stores.start_postgres()
        try:
            (Path(name) / "stack").mkdir()
            report = soak(
                Path(name) / "stack", stores, seed=given.seed, seconds=given.minutes * 60,
                pause_s=given.every, tell=lambda told: print(told, flush=True),
            )  # fmt: skip
        finally:
            stores.stop()
    print(f"faults   {sum(report.faults.values())}: {report.faults}")
    print(f"jobs     {sum(report.jobs.values())}: {dict(report.jobs)}")
    print(f"endings  {dict(report.endings)}; {report.units} units")
    for problem in report.problems:
        print(f"PROBLEM  {problem}")
    sys.exit(1 if report.problems else 0)


if __name__ == "__main__":
    main()
