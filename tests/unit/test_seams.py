"""Faults on request: at the pass that is asked for, at no other, and never in production."""

import time

import pytest

from shared.seams import arm, reach
from shared.settings import SettingsError, load_settings


def took_long(seam: str) -> bool:
    began = time.monotonic()
    reach(seam)
    return time.monotonic() - began > 0.01


def test_a_fault_happens_at_its_pass_and_at_no_other() -> None:
    arm("planner_mid_cut:sleep=0.02@2")
    assert [took_long("planner_mid_cut") for _ in range(3)] == [False, True, False]
    assert not took_long("worker_after_call")
    arm("")
    assert not took_long("planner_mid_cut")


@pytest.mark.parametrize(
    "faults", ["nowhere:kill", "planner_mid_cut", "planner_mid_cut:kill@0", "planner_mid_cut:nap"]
)
def test_what_is_no_fault_is_told(faults: str) -> None:
    with pytest.raises(SettingsError, match="APWA_FAULTS"):
        load_settings({"APWA_MODE": "development", "APWA_FAULTS": faults}, stores=False)


def test_production_refuses_faults() -> None:
    with pytest.raises(SettingsError, match="APWA_MODE=development"):
        load_settings({"APWA_FAULTS": "planner_mid_cut:kill"}, stores=False)
