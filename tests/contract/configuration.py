"""Writes the configuration of schemathesis for one run."""

import json
from typing import Any

from tests.contract.seeds import Seeds

_OFTEN = 0.7  # that a generated request names an object that exists
# What a body says can be of the right form and wrong still: a plan the linter refuses, an object
# that is not there, a job that is in another state, `If-Match` of an older one.
_MAY_REFUSE = ["2xx", "404", "406", "409", "410", "412", "413", "415", "422", "428"]
_REFUSALS = [
    str(status) for status in (400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 428, 429)
]
_HEAD = """
headers = {{ Authorization = "Bearer {key}" }}
hooks = "tests.contract.hooks"
seed = {seed}
continue-on-failure = true
request-timeout = 75  # `wait` holds an answer back for up to 60
max-stream-events = 20
warnings = false

[generation]
max-examples = {examples}
database = "none"
no-shrink = true

[checks]
positive_data_acceptance.expected-statuses = {may_refuse}
# Without `If-Match` an edit is refused with 428 Precondition Required (RFC 6585), not with 400.
missing_required_header.expected-statuses = ["428"]
# 410, 412 and 413 refuse as well; like 404 they may come before what else is wrong is looked at.
negative_data_rejection.expected-statuses = {refusals}

[dictionaries.short_waits]
values = [0, 1]

[parameters]
"query.wait" = {{ dictionary = "short_waits", probability = 1.0 }}
"""


def configuration(seeds: Seeds, *, key: str, examples: int, seed: int) -> str:
    """Return the text of schemathesis.toml."""
    head = _HEAD.format(
        key=key, examples=examples, seed=seed,
        may_refuse=json.dumps(_MAY_REFUSE), refusals=json.dumps(_REFUSALS),
    )  # fmt: skip
    dictionaries: list[str] = []
    operations: list[str] = []
    for name in sorted({*seeds.paths, *seeds.headers, *seeds.bodies}):
        known = _parameters(seeds, name)
        dictionaries += [
            f"[dictionaries.{_word(name, parameter)}]\nvalues = {json.dumps(values)}"
            for parameter, values in known.items()
        ]
        operations.append(_operation(seeds, name, known))
    return "\n\n".join([head, *dictionaries, *operations]) + "\n"


def _parameters(seeds: Seeds, name: str) -> dict[str, list[Any]]:
    return {
        **{f"path.{one}": values for one, values in seeds.paths.get(name, {}).items()},
        **{f"body.{one}": [value] for one, value in seeds.bodies.get(name, {}).items()},
        **{
            f"header.{one}": [value]
            for one, value in seeds.headers.get(name, {}).items()
            if one == "If-Match"
        },
    }


def _operation(seeds: Seeds, name: str, known: dict[str, list[Any]]) -> str:
    """Bind the dictionaries; headers the document does not name go with every request."""
    lines = ["[[operations]]", f'include-operation-id = "{name}"']
    sent = {one: v for one, v in seeds.headers.get(name, {}).items() if one != "If-Match"}
    if sent:
        pairs = ", ".join(f"{json.dumps(one)} = {json.dumps(value)}" for one, value in sent.items())
        lines.append(f"headers = {{ {pairs} }}")
    if name == "receive_hook":  # of the right form, whether or not its sender signed it
        allowed = json.dumps([*_MAY_REFUSE, "401"])
        lines.append(f"checks.positive_data_acceptance.expected-statuses = {allowed}")
    lines += [
        f'parameters."{one}" = {{ dictionary = "{_word(name, one)}", probability = {_OFTEN} }}'
        for one in known
    ]
    return "\n".join(lines)


def _word(name: str, parameter: str) -> str:
    return f"{name}_{parameter}".replace(".", "_").replace("-", "_")
