"""`python -m tests.contract --examples 100 --seed 1`: exit code 1 where it finds something."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.contract.own_network import NoOwnNetwork, enter_own_network
from tests.contract.run import run

NO_NETWORK = 3  # exit code where the system gives no network of its own; nothing was tested
_ENOUGH = 0.9  # of the operations have to be seen to succeed


def main() -> None:
    """Run in a temporary folder and on a network of its own."""
    parser = argparse.ArgumentParser(description="The OpenAPI document against live services.")
    parser.add_argument("--examples", type=int, default=100, help="for each operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("--figures", type=Path, help="file to write the figures to, as JSON")
    given = parser.parse_args()
    try:
        enter_own_network()
    except NoOwnNetwork as error:
        print(f"Nothing was tested: {error}")
        sys.exit(NO_NETWORK)
    with tempfile.TemporaryDirectory(prefix="apwa-contract-") as name:
        Path(name).chmod(0o711)
        figures = run(
            Path(name), examples=given.examples, seed=given.seed, phases=given.phases
        )  # fmt: skip
    if given.figures:
        given.figures.write_text(figures.to_json())
    print(f"calls       {figures.calls}: {figures.statuses}")
    print(f"operations  {figures.operations}, {figures.share:.1%} of them seen to succeed")
    for label in figures.silent:
        print(f"never 2xx   {label}")
    sys.exit(1 if figures.exit_code or figures.share < _ENOUGH else 0)


if __name__ == "__main__":
    main()
