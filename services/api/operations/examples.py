"""Bodies to start from, one for each operation that takes one; readers copy them, tests send them.

Ids in them belong to nobody.
"""

from typing import Any

_PLAN: dict[str, Any] = {
    "version": 1,
    "stages": [
        {
            "name": "clean",
            "over": "tickets",
            "unit": {"rows": 1},
            "capability": "redact",
            "params": {"field": "text"},
        }
    ],
    "result": {"table": "clean"},
}
_TICKETS: dict[str, Any] = {
    "tickets": {"rows": [{"id": 1, "text": "Write to ann@example.com"}], "key": "id"}
}
_JOB: dict[str, Any] = {"goal": "Redact all personal data", "inputs": _TICKETS}
_EVENT: dict[str, Any] = {"issue": {"number": 7, "body": "Write to ann@example.com"}}

EXAMPLES: dict[str, Any] = {
    "create_job": _JOB,
    "estimate_job": {"plan": _PLAN, "inputs": _TICKETS},
    "edit_job": {"budget": {"usd": 10}, "priority": 9, "labels": {"team": "a", "old": None}},
    "retry_job": {"select": "failed"},
    "fork_job": {"inputs": _TICKETS},
    "put_plan": {"plan": _PLAN},
    "reject_plan": {"reason": "It reads the wrong column."},
    "create_view_token": {"ttl_s": 3600},
    "append_records": [{"id": 1, "text": "Write to ann@example.com"}],
    "create_workflow": {"name": "clean-tickets", "plan": _PLAN},
    "run_workflow": {"inputs": _TICKETS, "labels": {"team": "a"}},
    "create_trigger": {
        "name": "new issues",
        "scheme": "github",
        "secret": "what the sender knows too",
        "when": [{"header": "X-GitHub-Event", "equals": "issues"}],
        "job": {"plan": _PLAN},
        "mapping": {
            "inputs": {"tickets": {"object": {"id": "/issue/number", "text": "/issue/body"}}}
        },
    },
    "edit_trigger": {"name": "new issues of kettle", "enabled": True},
    "simulate_trigger": {"headers": {"X-GitHub-Event": "issues"}, "payload": _EVENT},
    "receive_hook": _EVENT,
    "create_webhook_endpoint": {
        "url": "https://example.com/webhooks",
        "events": ["job.finished"],
        "description": "the ticket system",
    },
    "edit_webhook_endpoint": {"events": ["job.finished", "job.paused"], "enabled": True},
    "rotate_webhook_endpoint_secret": {"overlap_s": 3600},
    "redeliver_range": {"since": "2030-01-31T12:00:00Z", "until": "2030-01-31T13:00:00Z"},
    "rotate_webhook_secret": {"overlap_s": 3600},
    "create_batch": {
        "input_file_id": "fil_00000000000000000000000000",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    },
    "create_api_key": {"name": "the ticket system", "role": "operator"},
    "rotate_api_key": {"overlap_s": 3600},
    "create_project": {"name": "ticket system", "weight": 2},
    "edit_project": {"quotas": {"concurrent_jobs": 100}, "budget": {"usd": 500}},
}

# Of bodies that are not JSON, by operation and media type.
FILES: dict[tuple[str, str], Any] = {
    ("create_table", "text/csv"): "id,text\n1,Write to ann@example.com\n",
    ("create_table", "application/x-ndjson"): '{"id": 1, "text": "Write to ann@example.com"}\n',
    ("create_file", "multipart/form-data"): {
        "purpose": "batch",
        "file": '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", '
        '"body": {"model": "small", "messages": [{"role": "user", "content": "Say hello."}]}}\n',
    },
}
