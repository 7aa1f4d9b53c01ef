"""The form of a job's bundle: a zip whose every byte is covered by a hash.

`manifest.json`, the last member, names each other member with its size and SHA-256, and carries a
hash of itself, which stands for the whole contents. The comment at the end of the file holds the
SHA-256 of every byte before it: names, lengths and the compressed form cannot change either.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from shared.contracts.json_values import canonical_json
from shared.domain.usage import MEASURES as MEASURES  # of a bundle's sums

FORMAT = 1
MANIFEST = "manifest.json"
JOB, RESULT, EVENTS, PLANNING = "job.json", "result.jsonl", "events.jsonl", "planning.jsonl"
STAGE, UNITS, ATTEMPTS, PROMPTS = "stage.json", "units.jsonl", "attempts.jsonl", "prompts.jsonl"
COUNTS = ("units", "succeeded", "failed", "skipped", "cancelled")
SEAL = b"apwa-bundle sha256="
DIGEST_CHARS = 64


def plan_member(version: int) -> str:
    """Return the name of the member that holds one version of the plan."""
    return f"plans/{version}.json"


def stage_folder(no: int, name: str) -> str:
    """Return what the names of a stage's members begin with."""
    return f"stages/{no:03}-{name}/"


def line(value: Any) -> bytes:
    """Return a JSON value as a line: sorted names, so that equal values are equal bytes."""
    return canonical_json(value) + b"\n"


def contents_hash(manifest: Mapping[str, Any]) -> str:
    """Return the hash of a manifest without the field that holds it."""
    told = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(canonical_json(told)).hexdigest()


def add_usage(total: dict[str, int], usage: Mapping[str, Any] | None) -> None:
    """Add what one outcome or try took to a sum."""
    for name in MEASURES:
        total[name] = total.get(name, 0) + int((usage or {}).get(name) or 0)


def nothing_used() -> dict[str, int]:
    """Return a sum of nothing."""
    return dict.fromkeys(MEASURES, 0)
