"""Every operation of the interface: its name, method and path; one line for each."""

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `tells`: its 503 is an answer, not a reason to try again."""

    name: str
    method: str
    path: str
    tells: bool = False

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


_TABLE = """
# jobs
create_job POST /v1/jobs
list_jobs GET /v1/jobs
estimate_job POST /v1/jobs/estimate
get_job GET /v1/jobs/{job_id}
edit_job PATCH /v1/jobs/{job_id}
delete_job DELETE /v1/jobs/{job_id}
pause_job POST /v1/jobs/{job_id}/pause
resume_job POST /v1/jobs/{job_id}/resume
cancel_job POST /v1/jobs/{job_id}/cancel
finalize_job POST /v1/jobs/{job_id}/finalize
retry_job POST /v1/jobs/{job_id}/retry
fork_job POST /v1/jobs/{job_id}/fork
# what hangs below a job
get_plan GET /v1/jobs/{job_id}/plan
put_plan PUT /v1/jobs/{job_id}/plan
approve_plan POST /v1/jobs/{job_id}/plan/approve
reject_plan POST /v1/jobs/{job_id}/plan/reject
list_stages GET /v1/jobs/{job_id}/stages
list_subtasks GET /v1/jobs/{job_id}/subtasks
get_subtask GET /v1/jobs/{job_id}/subtasks/{stage}/{unit}
list_failures GET /v1/jobs/{job_id}/failures
list_events GET /v1/jobs/{job_id}/events
create_view_token POST /v1/jobs/{job_id}/view-tokens
get_results GET /v1/jobs/{job_id}/results
get_bundle GET /v1/jobs/{job_id}/bundle
# records of a stream
append_records POST /v1/jobs/{job_id}/records
end_records POST /v1/jobs/{job_id}/records/end
get_stream GET /v1/jobs/{job_id}/records
get_record GET /v1/jobs/{job_id}/records/{key}
# tables
create_table POST /v1/tables
list_tables GET /v1/tables
get_table GET /v1/tables/{table_id}
get_rows GET /v1/tables/{table_id}/rows
delete_table DELETE /v1/tables/{table_id}
# workflows
create_workflow POST /v1/workflows
list_workflows GET /v1/workflows
get_workflow GET /v1/workflows/{name}
list_workflow_versions GET /v1/workflows/{name}/versions
delete_workflow DELETE /v1/workflows/{name}
run_workflow POST /v1/workflows/{name}/runs
# webhooks out
create_webhook_endpoint POST /v1/webhook-endpoints
list_webhook_endpoints GET /v1/webhook-endpoints
get_webhook_endpoint GET /v1/webhook-endpoints/{endpoint_id}
edit_webhook_endpoint PATCH /v1/webhook-endpoints/{endpoint_id}
delete_webhook_endpoint DELETE /v1/webhook-endpoints/{endpoint_id}
get_webhook_endpoint_secret GET /v1/webhook-endpoints/{endpoint_id}/secret
rotate_webhook_endpoint_secret POST /v1/webhook-endpoints/{endpoint_id}/rotate-secret
test_webhook_endpoint POST /v1/webhook-endpoints/{endpoint_id}/test
redeliver_range POST /v1/webhook-endpoints/{endpoint_id}/redeliver
list_deliveries GET /v1/deliveries
get_delivery GET /v1/deliveries/{delivery_id}
redeliver POST /v1/deliveries/{delivery_id}/redeliver
get_webhook_secret GET /v1/webhook-secret
rotate_webhook_secret POST /v1/webhook-secret/rotate
# triggers
create_trigger POST /v1/triggers
list_triggers GET /v1/triggers
get_trigger GET /v1/triggers/{trigger_id}
edit_trigger PATCH /v1/triggers/{trigger_id}
delete_trigger DELETE /v1/triggers/{trigger_id}
simulate_trigger POST /v1/triggers/{trigger_id}/simulate
list_trigger_deliveries GET /v1/triggers/{trigger_id}/deliveries
get_trigger_delivery GET /v1/triggers/{trigger_id}/deliveries/{delivery_id}
replay_trigger_delivery POST /v1/triggers/{trigger_id}/deliveries/{delivery_id}/replay
receive_hook POST /hooks/{trigger_id}
# keys, projects, usage
create_api_key POST /v1/api-keys
list_api_keys GET /v1/api-keys
get_api_key GET /v1/api-keys/{key_id}
revoke_api_key DELETE /v1/api-keys/{key_id}
rotate_api_key POST /v1/api-keys/{key_id}/rotate
create_project POST /v1/projects
list_projects GET /v1/projects
get_project GET /v1/projects/{project_id}
edit_project PATCH /v1/projects/{project_id}
get_usage GET /v1/usage
list_audit_log GET /v1/audit-log
# batches as the openai package knows them: use that package
create_file POST /openai/v1/files
list_files GET /openai/v1/files
get_file GET /openai/v1/files/{file_id}
get_file_content GET /openai/v1/files/{file_id}/content
delete_file DELETE /openai/v1/files/{file_id}
create_batch POST /openai/v1/batches
list_batches GET /openai/v1/batches
get_batch GET /openai/v1/batches/{batch_id}
cancel_batch POST /openai/v1/batches/{batch_id}/cancel
list_openai_models GET /openai/v1/models
get_openai_model GET /openai/v1/models/{model}
# the service itself
list_capabilities GET /v1/capabilities
list_models GET /v1/models
metrics GET /metrics
livez GET /livez tells
readyz GET /readyz tells
version GET /version
"""


def _read(table: str) -> dict[str, Operation]:
    rows = [line.split() for line in table.splitlines() if line and not line.startswith("#")]
    return {name: Operation(name, method, path, bool(rest)) for name, method, path, *rest in rows}


OPERATIONS = _read(_TABLE)


def operation_named(name: str) -> Operation:
    """Return an operation by its operationId; ValueError with the nearest names for none."""
    if name in OPERATIONS:
        return OPERATIONS[name]
    near = get_close_matches(name, OPERATIONS, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"there is no operation {name}{hint}")
