"""Redact personal data: every column it may stand in, and a count per class when asked."""

import re
from typing import Any

from shared.plans.facts import PlanFacts
from shared.plans.goals.inputs import Source, find_source, sensitive_columns
from shared.plans.goals.refusal import RulesRefusal
from shared.plans.goals.words import free_name, items, quoted, snake, without_articles
from shared.plans.goals.write import others, plan_document, query, stage

_VERB = r"(?:redact|anonymi[sz]e|pseudonymi[sz]e|mask|remove|hide|scrub|black out|blank out) "
_COUNT = (
    r"(?P<count>,? (?:and then|and|then) count\b(?: (?P<counted>.+?))??"
    r"(?: (?:per|by|for each|of each) (?:entity )?(?:class|type|kind|category))?)?"
)
# Read twice: in `dates of birth in the text` the first `of` belongs to the class, not to a place.
_GOALS = tuple(
    re.compile(rf"{_VERB}(?P<what>.+?)(?: (?:{places}) (?P<where>.+?))?{_COUNT}")
    for places in ("in|from|within|out of", "of")
)
_COUNTED = re.compile(
    r"(?:(?:all|the|personal|of|data)\s+)*(?:findings?|redactions?|entities|them|it|hits|matches"
    r"|occurrences|placeholders|items|data|what (?:was|is) found)(?: found)?"
)
_EVERYTHING = re.compile(
    r"(?:(?:personal|sensitive|private|confidential|personally identifiable)"
    r"(?: and (?:personal|sensitive|private|confidential))? )"
    r"(?:data|information|details|info)(?: \(pii\))?|pii"
)
_CLASSES: dict[str, str] = {
    "email": r"e-?mails?(?: address(?:es)?)?",
    "phone": r"(?:tele)?phone(?: number)?s?|phone numbers",
    "ip": r"ips?|ip address(?:es)?",
    "url": r"urls?|links?|web address(?:es)?",
    "card": r"(?:credit |debit |payment )?cards?(?: numbers?)?",
    "iban": r"ibans?|bank accounts?(?: numbers?)?",
    "national_id": r"national ids?|national id numbers?|social security numbers?|ssns?",
    "date_of_birth": r"dates? of birth|birth ?dates?|birthdays?",
    "secret": r"secrets?|(?:api )?keys?|(?:access )?tokens?",
}


def write_redaction(goal: str, facts: PlanFacts) -> dict[str, Any] | RulesRefusal | None:
    """Return the plan for a plain goal, None when it is not about redaction."""
    for found in (pattern.fullmatch(goal) for pattern in _GOALS):
        classes = None if found is None else _classes(found["what"])
        if found is None or classes is None or not _counts_findings(found):
            continue
        source = find_source(found["where"], facts)
        if source is None or isinstance(source, RulesRefusal):
            return source
        return _plan(source, classes, facts, counted=found["count"] is not None)
    return _uncovered(goal) or _of_columns(goal, facts)


def _of_columns(goal: str, facts: PlanFacts) -> dict[str, Any] | RulesRefusal | None:
    """Read ``redact the subject and text of the tickets``: columns stand where classes would."""
    found = re.fullmatch(rf"{_VERB}(?P<what>.+?){_COUNT}", goal)
    if found is None or goal.startswith(("remove", "hide")) or not _counts_findings(found):
        return None
    source = find_source(found["what"], facts)
    if source is None or isinstance(source, RulesRefusal) or not source.named:
        return None
    return _plan(source, [], facts, counted=found["count"] is not None)


def _classes(what: str) -> list[str] | None:
    """Return the classes named, none for everything, or None when a word is not understood."""
    if _EVERYTHING.fullmatch(without_articles(what)):
        return []
    classes = []
    for item in items(what):
        words = without_articles(item)
        named = [name for name, words_of in _CLASSES.items() if re.fullmatch(words_of, words)]
        if not named:
            return None
        classes += named
    return list(dict.fromkeys(classes)) or None


def _counts_findings(found: re.Match[str]) -> bool:
    counted = found["counted"]
    return counted is None or _COUNTED.fullmatch(counted) is not None


def _plan(
    source: Source, classes: list[str], facts: PlanFacts, *, counted: bool
) -> dict[str, Any] | RulesRefusal:
    columns = [column.name for column in sensitive_columns(source)]
    if not columns:
        detail = f"`{source.name}` has no column that may hold personal data."
        return RulesRefusal("no_text_column", detail)
    taken = set(facts.tables)
    stages: list[dict[str, Any]] = []
    over = source.name
    for place, column in enumerate(columns):
        last = place == len(columns) - 1
        name = free_name("redacted" if last else f"redacted_{snake(column) or place}", taken)
        taken.add(name)
        params: dict[str, Any] = {"field": column} | ({"classes": classes} if classes else {})
        keep = others(source.table, (column, "entities"))
        stages.append(stage(name, over, {"rows": 1}, "redact", params, keep))
        over = name
    if not counted:
        return plan_document(stages, over)
    result = free_name("findings", taken)
    redactions = [written["name"] for written in stages]
    return plan_document([*stages, query(result, redactions, _count_query(redactions))], result)


def _count_query(tables: list[str]) -> str:
    # `entities` is a JSON text: [{"class": ..., "count": ...}, ...]
    found = " UNION ALL ".join(_FINDINGS.replace("TABLE", quoted(table)) for table in tables)
    return _COUNTS.replace("FINDINGS", found)


_FINDINGS = """SELECT unnest(from_json(entities, '["JSON"]')) AS finding FROM TABLE"""
_COUNTS = (
    "SELECT json_extract_string(finding, '$.class') AS \"class\", "
    "CAST(sum(CAST(json_extract_string(finding, '$.count') AS BIGINT)) AS BIGINT) AS \"count\" "
    'FROM (FINDINGS) GROUP BY "class" ORDER BY "count" DESC, "class"'
)


def _uncovered(goal: str) -> RulesRefusal | None:
    named = re.match(
        r"(?:redact|anonymi[sz]e|pseudonymi[sz]e|mask)\b.*\b(names?|address(?:es)?|locations?)\b",
        goal,
    )
    if named is None:
        return None
    detail = (
        f"`redact` works by form and checksum and does not cover {named[1]}; that needs a model. "
        "It covers: " + ", ".join(sorted(_CLASSES)) + "."
    )
    return RulesRefusal("not_covered", detail)
