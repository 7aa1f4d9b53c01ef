"""Planning by a model; the fake one writes plans only from what it parses out of the prompt."""

from tests.acceptance.planning import (
    TICKETS,
    TOOLS,
    job,
    plan_of,
    planned,
    planning_calls,
)
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack


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
