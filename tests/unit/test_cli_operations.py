"""The command line has a verb for every operation of the OpenAPI document."""

from typing import Any

import pytest
from typer.main import get_command

from services.api.operations import OPERATIONS
from services.cli.app import app

VERBS = {
    "create_job": "run",
    "list_jobs": "jobs ls",
    "get_job": "jobs show",
    "estimate_job": "jobs estimate",
    "edit_job": "jobs edit",
    "pause_job": "jobs pause",
    "resume_job": "jobs resume",
    "cancel_job": "jobs cancel",
    "finalize_job": "jobs finalize",
    "retry_job": "jobs retry",
    "fork_job": "jobs fork",
    "delete_job": "jobs delete",
    "get_plan": "plan show",
    "put_plan": "plan put",
    "approve_plan": "plan approve",
    "reject_plan": "plan reject",
    "list_stages": "jobs stages",
    "list_subtasks": "jobs subtasks",
    "get_subtask": "jobs subtask",
    "list_failures": "jobs failures",
    "list_events": "jobs events",
    "create_view_token": "jobs view-token",
    "get_bundle": "jobs bundle",
    "get_results": "jobs results",
    "append_records": "records append",
    "end_records": "records end",
    "get_stream": "records show",
    "get_record": "records show",
    "create_table": "tables add",
    "list_tables": "tables ls",
    "get_table": "tables show",
    "get_rows": "tables rows",
    "delete_table": "tables delete",
    "create_workflow": "workflows create",
    "list_workflows": "workflows list",
    "get_workflow": "workflows get",
    "list_workflow_versions": "workflows versions",
    "delete_workflow": "workflows delete",
    "run_workflow": "workflows run",
    "create_file": "files create",
    "list_files": "files list",
    "get_file": "files get",
    "get_file_content": "files content",
    "delete_file": "files delete",
    "create_batch": "batches create",
    "list_batches": "batches list",
    "get_batch": "batches get",
    "cancel_batch": "batches cancel",
    "list_openai_models": "batches models",
    "get_openai_model": "batches models",
    "create_trigger": "triggers create",
    "list_triggers": "triggers list",
    "get_trigger": "triggers get",
    "edit_trigger": "triggers edit",
    "delete_trigger": "triggers delete",
    "simulate_trigger": "triggers simulate",
    "list_trigger_deliveries": "triggers deliveries",
    "get_trigger_delivery": "triggers delivery",
    "replay_trigger_delivery": "triggers replay",
    "receive_hook": "triggers send",
    "create_webhook_endpoint": "webhooks create",
    "list_webhook_endpoints": "webhooks list",
    "get_webhook_endpoint": "webhooks show",
    "edit_webhook_endpoint": "webhooks edit",
    "delete_webhook_endpoint": "webhooks delete",
    "get_webhook_endpoint_secret": "webhooks secret",
    "rotate_webhook_endpoint_secret": "webhooks rotate",
    "test_webhook_endpoint": "webhooks test",
    "redeliver_range": "webhooks redeliver",
    "get_webhook_secret": "webhooks secret",
    "rotate_webhook_secret": "webhooks rotate",
    "list_deliveries": "deliveries list",
    "get_delivery": "deliveries show",
    "redeliver": "deliveries redeliver",
    "create_api_key": "keys create",
    "list_api_keys": "keys list",
    "get_api_key": "keys show",
    "revoke_api_key": "keys revoke",
    "rotate_api_key": "keys rotate",
    "create_project": "projects create",
    "list_projects": "projects list",
    "get_project": "projects show",
    "edit_project": "projects edit",
    "get_usage": "usage",
    "list_audit_log": "audit-log",
    "list_models": "api models",
    "metrics": "api metrics",
    "list_capabilities": "api capabilities",
    "livez": "api live",
    "readyz": "api ready",
    "version": "api version",
}


@pytest.mark.parametrize("operation", [one.name for one in OPERATIONS])
def test_every_operation_has_a_verb(operation: str) -> None:
    assert operation in VERBS, "write a command for it, and name it here"
    assert _command(VERBS[operation]) is not None, f"there is no command {VERBS[operation]}"


def test_no_verb_is_for_an_operation_that_is_gone() -> None:
    assert set(VERBS) - {one.name for one in OPERATIONS} == set()


def _command(path: str) -> Any:
    """Return the command of a path such as ``jobs ls``; None where there is none."""
    found: Any = get_command(app)
    for word in path.split():
        found = getattr(found, "commands", {}).get(word)
    return None if hasattr(found, "commands") else found
