"""Planning by a model; the fake one writes plans only from what it parses out of the prompt."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

TICKETS = [
    {"id": number, "status": ("open", "closed", "waiting")[number % 3],
     "text": f"marker-{number:04} the parcel did not arrive and nobody answers the telephone"}
    for number in range(30)
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    made = make_stack(OPENAI_BASE_URL=model.base_url, APWA_MODEL="fake")
    return made.start_all(workers=1)


@pytest.fixture(autouse=True)
def _alone(stack: Stack, model: FakeModel) -> Iterator[None]:
    """Let each test have the endpoint to itself, as it usually behaves."""
    model.forget()
    yield
    busy = "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND status <> 'paused'"
    eventually(lambda: stack.scalar(busy) == 0, within=60)
    eventually(lambda: model.stats()["in_flight"] == 0, within=30)
    model.change(
        next_faults=[], rates={}, latency_ms={}, abilities={"tools": True, "json_object": True}
    )


def job(goal: str, **more: Any) -> dict[str, Any]:
    return {"goal": goal, "inputs": {"tickets": {"rows": TICKETS, "key": "id"}}, **more}


def planning_calls(model: FakeModel) -> list[Any]:
    return [call for call in model.calls() if call.kind == "plan"]


def plan_of(stack: Stack, job_id: str) -> dict[str, Any]:
    answer = stack.get(f"/v1/jobs/{job_id}/plan")
    assert answer.status == 200, answer.body.decode()
    found: dict[str, Any] = answer.json
    return found


def planned(stack: Stack, job_id: str) -> dict[str, Any]:
    """Return the plan once it is visible."""
    eventually(lambda: stack.get(f"/v1/jobs/{job_id}/plan").status == 200, within=30)
    return plan_of(stack, job_id)


def test_one_sentence_and_a_table_become_a_plan_and_a_succeeded_job(
    stack: Stack, model: FakeModel
) -> None:
    # when
    ended = stack.wait(stack.submit(job("Say what each of the tickets is about.")))

    # then
    assert ended["status"] == "succeeded", ended
    shown = plan_of(stack, ended["id"])
    assert shown["engine"] == "model"
    assert [stage["over"] for stage in shown["plan"]["stages"]] == ["tickets"]
    assert len(stack.results(ended["id"])) == len(TICKETS)
    assert len(planning_calls(model)) == 1
    assert ended["usage"]["calls"] == len(model.calls())


@pytest.mark.parametrize(
    ("goal", "units", "replicas", "levels"),
    [
        ("Task parallel: write a poem; write a letter; write a report", [{"rows": 1}], 1, 1),
        ("By replication, judge each of the tickets.", [{"rows": 1}], 3, 1),
        (
            "Build a hierarchy of summaries over the tickets.",
            [{"rows": 1}, {"group_by": ["status"]}, {"table": True}], 1, 3,
        ),
    ],
)  # fmt: skip
def test_other_goals_become_plans_of_other_kinds(
    stack: Stack, goal: str, units: list[dict[str, Any]], replicas: int, levels: int
) -> None:
    ended = stack.wait(stack.submit(job(goal)))
    assert ended["status"] == "succeeded", ended
    stages = plan_of(stack, ended["id"])["plan"]["stages"]
    assert len(stages) == levels
    for stage, unit in zip(stages, units, strict=True):
        assert unit.items() <= stage["unit"].items()
        assert stage["replicas"] == replicas


def test_a_first_plan_with_errors_is_corrected_by_the_findings(
    stack: Stack, model: FakeModel
) -> None:
    job_id = stack.submit(job("At first a broken plan for the tickets, please."))
    shown = planned(stack, job_id)
    assert [one for one in shown["findings"] if one["severity"] == "error"] == []
    assert len(planning_calls(model)) == 2
    assert stack.wait(job_id)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("goal", "codes"),
    [
        (
            "There is never a good plan for the tickets.",
            {"unknown_table", "unknown_capability", "unknown_column", "unknown_placeholder",
             "unused_stage"},
        ),
        ("Answer with no json at all.", {"invalid"}),
    ],
)  # fmt: skip
def test_a_planner_that_does_not_learn_ends_the_job_with_the_findings(
    stack: Stack, model: FakeModel, goal: str, codes: set[str]
) -> None:
    ended = stack.wait(stack.submit(job(goal)))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "plan_invalid")
    assert {finding["code"] for finding in ended["error"]["findings"]} >= codes
    assert len(planning_calls(model)) == 4  # the first plan and three corrections
    assert ended["usage"]["calls"] == 4


TOOLS = (
    'Use TOOL:describe={"table":"tickets"} and TOOL:sample={"table":"tickets","n":2} and '
    'TOOL:query={"sql":"SELECT text FROM tickets LIMIT 1"} and answer for the tickets.'
)


def test_the_planner_may_look_at_the_tables_with_its_tools(stack: Stack, model: FakeModel) -> None:
    job_id = stack.submit(job(TOOLS))
    planned(stack, job_id)
    calls = planning_calls(model)
    assert len(calls) == 4
    assert "marker-0000" in calls[-1].markers
    told = [text for (text,) in stack.rows(
        "SELECT reply->'tool_calls'->0->>'name' FROM planning_calls WHERE job_id = %s ORDER BY no",
        job_id,
    )]  # fmt: skip
    assert told == ["describe", "sample", "query", "submit_plan"]


def test_a_planner_that_sees_the_schema_only_is_never_sent_a_row(
    stack: Stack, model: FakeModel
) -> None:
    # given a goal that tries to get at rows by tools, and a first plan that needs correcting
    goal = f"{TOOLS} At first a broken plan."
    ended = stack.wait(stack.submit(job(goal, policy={"planner_sees": "schema"})))

    # then no planning request held one, and the job ran all the same
    assert ended["status"] == "succeeded", ended
    calls = planning_calls(model)
    assert len(calls) == 5
    assert [call.markers for call in calls] == [[]] * 5


def test_a_text_goes_the_direct_way_with_one_call(stack: Stack, model: FakeModel) -> None:
    inputs = {"letter": {"text": "marker-7001 Dear all, the meeting is moved to Friday."}}
    ended = stack.wait(stack.submit({"goal": "When is the meeting?", "inputs": inputs}))
    assert ended["status"] == "succeeded", ended
    assert plan_of(stack, ended["id"])["engine"] == "direct"
    assert [call.own_markers for call in model.calls()] == [["marker-7001"]]
    assert [list(row) for row in stack.results(ended["id"])] == [["answer"]]


def test_a_goal_without_inputs_goes_the_direct_way_with_one_call(
    stack: Stack, model: FakeModel
) -> None:
    output = {"type": "object", "properties": {"poem": {"type": "string"}}}
    body = {"goal": "Write a poem about {{ rain }}.", "output": output}
    ended = stack.wait(stack.submit(body))
    assert ended["status"] == "succeeded", ended
    assert plan_of(stack, ended["id"])["engine"] == "direct"
    assert len(model.calls()) == 1
    assert [list(row) for row in stack.results(ended["id"])] == [["poem"]]


def test_a_text_too_long_for_one_call_gets_a_plan(stack: Stack) -> None:
    inputs = {"book": {"text": "It was a dark night. " * 10_000}}
    job_id = stack.submit({"goal": "Sum up the book.", "inputs": inputs})
    assert planned(stack, job_id)["engine"] == "model"


def test_direct_planning_over_a_table_is_refused_with_what_to_do(stack: Stack) -> None:
    ended = stack.wait(stack.submit(job("Answer.", planning="direct")))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "direct_needs_text")


def test_rules_can_still_be_asked_for(stack: Stack, model: FakeModel) -> None:
    goal = "Redact all personal data in the tickets"
    ended = stack.wait(stack.submit(job(goal, planning="rules")))
    assert (ended["status"], plan_of(stack, ended["id"])["engine"]) == ("succeeded", "rules")
    assert model.calls() == []


def test_a_planner_without_credit_pauses_the_job_and_resume_goes_on(
    stack: Stack, model: FakeModel
) -> None:
    model.change(next_faults=["quota"])
    job_id = stack.submit(job("Say what each of the tickets is about."))
    eventually(lambda: stack.get(f"/v1/jobs/{job_id}").json["status"] == "paused", within=30)
    assert stack.get(f"/v1/jobs/{job_id}").json["status_reason"]["kind"] == "provider_quota"
    assert len(model.calls()) == 1
    assert stack.post(f"/v1/jobs/{job_id}/resume").status in (200, 202)
    assert stack.wait(job_id)["status"] == "succeeded"


def test_a_budget_too_small_for_planning_pauses_before_any_call(
    stack: Stack, model: FakeModel
) -> None:
    policy = {"budget": {"tokens": 100}}
    job_id = stack.submit(job("Say what each of the tickets is about.", policy=policy))
    eventually(lambda: stack.get(f"/v1/jobs/{job_id}").json["status"] == "paused", within=30)
    assert stack.get(f"/v1/jobs/{job_id}").json["status_reason"]["kind"] == "budget"
    assert model.calls() == []


def test_faults_that_pass_do_not_keep_a_job_from_its_plan(stack: Stack, model: FakeModel) -> None:
    model.change(next_faults=["429", "503", "empty_choices"], retry_after_s=0.2)
    job_id = stack.submit(job("Say what each of the tickets is about."))
    assert planned(stack, job_id)["engine"] == "model"
    assert [call.fault for call in planning_calls(model)] == ["429", "503", "empty_choices", None]


def test_an_endpoint_without_tools_and_json_mode_plans_in_plain_text(
    stack: Stack, model: FakeModel
) -> None:
    # given an endpoint that also cuts its first answer off and fences the second
    model.change(abilities={"tools": False, "json_object": False}, next_faults=["length", "fenced"])
    job_id = stack.submit(job("Say what each of the tickets is about."))
    assert planned(stack, job_id)["engine"] == "model"
    calls = [(call.status, call.fault) for call in planning_calls(model)]
    assert calls == [(400, None), (400, None), (200, "length"), (200, "fenced")]


def test_a_killed_planner_repeats_at_most_the_call_in_flight(
    stack: Stack, model: FakeModel
) -> None:
    # given a planner in the middle of its third call
    model.change(latency_ms={"fixed": 700})
    job_id = stack.submit(job(TOOLS))
    kept = "SELECT count(*) FROM planning_calls WHERE job_id = %s"
    eventually(lambda: stack.scalar(kept, job_id) == 2, within=30)

    # when it is killed, and another one takes over
    stack.kill("planner")
    stack.start("planner")

    # then what was answered before was not asked again
    assert planned(stack, job_id)["engine"] == "model"
    assert 4 <= len(planning_calls(model)) <= 5
    assert stack.scalar("SELECT count(*) FROM plans WHERE job_id = %s", job_id) == 1
    assert stack.wait(job_id)["status"] == "succeeded"


def test_a_planner_that_is_told_to_stop_hands_its_planning_over_at_once(
    stack: Stack, model: FakeModel
) -> None:
    # given a planner whose call hangs
    model.change(next_faults=["hang"])
    job_id = stack.submit(job("Say what each of the tickets is about."))
    eventually(lambda: model.stats()["in_flight"] == 1, within=30)

    # when it is told to stop
    process = stack.processes["planner"].pop()
    process.terminate()
    assert process.wait(20) == 0

    # then nobody holds the job, and the next planner plans it
    assert stack.scalar("SELECT planner_id FROM jobs WHERE id = %s", job_id) is None
    stack.start("planner")
    assert planned(stack, job_id)["engine"] == "model"


def test_jobs_whose_model_hangs_do_not_keep_others_from_running(
    stack: Stack, model: FakeModel
) -> None:
    # given more hanging plannings than a planner has threads to cut with
    model.change(next_faults=["hang"] * 5)
    hanging = [stack.submit(job("Say what the tickets are about.")) for _ in range(5)]
    eventually(lambda: model.stats()["in_flight"] == 5, within=30)

    # then a job that needs no model runs to its end beside them
    goal = "Redact all personal data in the tickets"
    assert stack.wait(stack.submit(job(goal, planning="rules")))["status"] == "succeeded"
    for job_id in hanging:
        stack.post(f"/v1/jobs/{job_id}/cancel")


def test_a_job_cancelled_while_it_is_planned_ends_at_once(stack: Stack, model: FakeModel) -> None:
    model.change(next_faults=["hang"])
    job_id = stack.submit(job("Say what each of the tickets is about."))
    eventually(lambda: stack.get(f"/v1/jobs/{job_id}").json["status"] == "planning", within=30)
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status in (200, 202)
    assert stack.wait(job_id, within=20)["status"] == "cancelled"
    eventually(lambda: [call.fault for call in model.calls()] == ["hang"], within=20)


def rows_with_refusals() -> list[dict[str, Any]]:
    """The tickets; five of them make the model refuse."""
    return [
        {**row, "text": f"{row['text']} FAULT:refusal"} if row["id"] % 6 == 0 else row
        for row in TICKETS
    ]


def test_a_second_round_is_planned_from_what_failed_in_the_first(
    stack: Stack, model: FakeModel
) -> None:
    # when
    inputs = {"tickets": {"rows": rows_with_refusals(), "key": "id"}}
    body = {"goal": "Answer the tickets in several rounds.", "inputs": inputs}
    ended = stack.wait(stack.submit({**body, "policy": {"min_success": 0.8}}))

    # then the second plan is named after the largest cluster and reads the former result
    assert ended["status"] == "succeeded", ended
    assert ended["plan"]["version"] == 2
    [stage] = plan_of(stack, ended["id"])["plan"]["stages"]
    assert (stage["name"], stage["over"]) == ("after_refused", "answers")
    stages = stack.get(f"/v1/jobs/{ended['id']}/stages").json["items"]
    assert [(one["name"], one["is_result"]) for one in stages] == [
        ("answers", False), ("after_refused", True),
    ]  # fmt: skip
    assert ended["coverage"]["failed"] == 5
    assert {tuple(row) for row in stack.results(ended["id"])} == {("id", "second_answer")}
    assert len(planning_calls(model)) == 2
    first = stack.get(f"/v1/jobs/{ended['id']}/plan?version=1").json
    assert first["plan"]["then"] == "replan"


def test_rounds_with_the_schema_only_send_no_row_either(stack: Stack, model: FakeModel) -> None:
    inputs = {"tickets": {"rows": rows_with_refusals(), "key": "id"}}
    body = {"goal": "Answer the tickets in several rounds.", "inputs": inputs}
    policy = {"min_success": 0.8, "planner_sees": "schema"}
    assert stack.wait(stack.submit({**body, "policy": policy}))["status"] == "succeeded"
    assert [call.markers for call in planning_calls(model)] == [[], []]


@pytest.mark.parametrize(("on_shortfall", "status"), [("partial", "partial"), ("failed", "failed")])
def test_a_planner_that_repeats_itself_ends_the_job_stalled(
    stack: Stack, model: FakeModel, on_shortfall: str, status: str
) -> None:
    goal = "This planner repeats itself over the tickets."
    ended = stack.wait(stack.submit(job(goal, policy={"on_shortfall": on_shortfall})))
    assert (ended["status"], ended["error"]["code"]) == (status, "stalled")
    assert len(planning_calls(model)) == 2
    assert len(stack.results(ended["id"])) == len(TICKETS)


def test_rounds_end_at_the_most_the_policy_allows(stack: Stack, model: FakeModel) -> None:
    goal = "Answer the tickets in several rounds."
    ended = stack.wait(stack.submit(job(goal, policy={"max_rounds": 1})))
    assert ended["status"] == "succeeded", ended
    assert len(planning_calls(model)) == 1


def test_another_endpoint_plans_where_the_planners_is_down(
    make_stack: Callable[..., Stack], model: FakeModel, tmp_path: Path
) -> None:
    # given a planner's endpoint that answers every call with 503, and its fallback
    with FakeModel(tmp_path, down=True) as away:
        endpoints = {
            "planner": {"base_url": away.base_url, "model": "large"},
            "fallback": {"base_url": model.base_url, "model": "small"},
        }
        stack = make_stack(
            OPENAI_BASE_URL=model.base_url, APWA_MODEL="fake", APWA_ENDPOINTS=json.dumps(endpoints)
        ).start_all(workers=1)

        # when
        ended = stack.wait(stack.submit(job("Say what each of the tickets is about.")))

        # then
        assert ended["status"] == "succeeded", ended
        assert {call.status for call in away.calls()} == {503}
        assert [call.model for call in planning_calls(model)] == ["small"]
