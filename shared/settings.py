"""All settings, typed and ranged; the only module that reads the environment."""

import difflib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from typing import Any, TypeVar, cast, get_type_hints
from urllib.parse import urlsplit

from environs import Env, EnvValidationError
from marshmallow import ValidationError, validate

from shared.domain.remote_address import parse_prefixes
from shared.seams import parse

PREFIX = "APWA_"
FOREIGN_NAMES = {  # names that other tools gave meaning to
    "openai_api_key": "OPENAI_API_KEY",
    "openai_base_url": "OPENAI_BASE_URL",
}
LEAST_KEY_CHARS = 32  # of a key that seals secrets
MOST_TRIES, LONGEST_DELAY_S = 50, 604_800  # of a webhook
_DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_REDIS_SCHEMES = ("redis", "rediss", "unix")
_T = TypeVar("_T", bound=str | int | float)


class SettingsError(ValueError):
    """The settings are not usable; ``problems`` lists every reason, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("settings are not usable:\n" + "\n".join(f"  {text}" for text in problems))
        self.problems = problems


def _setting(
    default: _T,
    help_text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> _T:
    """Return a dataclass field that knows its range and its line of help."""
    metadata = {"help": help_text, "low": low, "high": high, "choices": choices, "secret": secret}
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of every service; seconds end in ``_s``, bytes in ``_bytes``."""

    database_url: str = _setting(
        "", "PostgreSQL, as postgresql://user:password@host:port/name", secret=True
    )
    redis_url: str = _setting("", "Redis, as redis://:password@host:port/0", secret=True)
    secret_keys: str = _setting(
        "",
        "Keys that seal stored secrets, comma-separated, newest first, 32 characters or more each",
        secret=True,
    )
    log_level: str = _setting(
        "INFO", "Least level that is logged", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )
    log_format: str = _setting(
        "json", "One JSON object per line, or coloured text", choices=("json", "console")
    )

    mode: str = _setting(
        "production",
        "What only tests may do, as faults, is refused in production",
        choices=("production", "development"),
    )
    faults: str = _setting(
        "", "Faults to make happen at seams of the code, as worker_after_call:kill@3"
    )

    api_host: str = _setting("127.0.0.1", "Address the API listens on")
    api_port: int = _setting(8080, "Port the API listens on", low=1, high=65_535)
    api_threads: int = _setting(32, "Requests one API process answers at once", low=1, high=1_000)
    api_streams: int = _setting(
        64, "Event streams one API process keeps open, on threads of their own", low=1, high=5_000
    )
    api_stream_poll_s: float = _setting(
        1.0, "An open event stream looks for news this often", low=0.05, high=60
    )
    api_stream_heartbeat_s: float = _setting(
        15.0, "A silent event stream shows this often that it lives", low=0.05, high=600
    )
    api_url: str = _setting("", "Command line: address of an API that runs elsewhere")
    api_key: str = _setting("", "Command line: key for that API", secret=True)
    body_max_bytes: int = _setting(
        10_000_000, "Largest JSON body of a request", low=1_000, high=1_000_000_000
    )
    hook_max_bytes: int = _setting(
        2_000_000, "Largest body a sender may post to a trigger", low=1_000, high=100_000_000
    )
    upload_max_bytes: int = _setting(2_000_000_000, "Largest upload of a table", low=1_000)

    metrics_token: str = _setting(
        "", "Token that /metrics wants as `Authorization: Bearer`; unset = it asks for none",
        secret=True,
    )  # fmt: skip
    metrics_networks: str = _setting(
        "", "Networks that may read /metrics, as 10.1.0.0/16, ::1/128; unset = all"
    )
    metrics_cache_s: float = _setting(
        5.0, "/metrics asks the database at most this often", low=0, high=600
    )

    quota_key_requests_per_minute: int = _setting(
        30_000, "Requests of one key in a minute; 0 = no limit, as for every quota", low=0
    )
    quota_requests_per_minute: int = _setting(
        60_000, "Requests of all keys of a project in a minute", low=0
    )
    quota_concurrent_jobs: int = _setting(5_000, "Jobs of a project that are not final", low=0)
    quota_open_streams: int = _setting(200, "Event streams a project keeps open", low=0)
    quota_stored_bytes: int = _setting(
        200_000_000_000, "Bytes the tables of a project may take", low=0
    )
    quota_rows_per_job: int = _setting(10_000_000, "Input rows of one job", low=0)
    quota_spend_usd_per_day: float = _setting(
        0.0, "US dollars a project may spend from midnight to midnight UTC", low=0
    )

    db_pool_size: int = _setting(10, "Database connections of one process", low=1, high=500)
    lease_s: float = _setting(
        30.0, "A shard not extended for this long goes to another worker", low=0.5, high=3_600
    )
    heartbeat_s: float = _setting(1.0, "A worker extends its leases this often", low=0.05, high=600)

    worker_slots: int = _setting(4, "Shards one worker process runs at once", low=1, high=256)
    worker_processes: int = _setting(
        0, "Children of a worker for CPU-bound capabilities; 0 = one per core", low=0, high=256
    )
    loop_concurrency: int = _setting(
        256, "Units in flight on the event loop of one worker", low=1, high=10_000
    )
    worker_idle_claim_s: float = _setting(
        5.0, "A worker that hears nothing asks the database this often", low=0.05, high=600
    )
    worker_deaf_s: float = _setting(
        30.0, "A worker that takes no message this long though some wait restarts", low=1, high=3600
    )
    settle_batch: int = _setting(50, "Outcomes written to the database together", low=1, high=5_000)
    settle_ms: int = _setting(
        100, "Longest wait in milliseconds before outcomes are written", low=1, high=60_000
    )

    planner_poll_s: float = _setting(
        0.5, "The planner looks for jobs and open stages this often", low=0.05, high=600
    )
    dispatch_poll_s: float = _setting(
        0.3, "Dispatch looks for due shards this often", low=0.05, high=600
    )
    redispatch_s: float = _setting(
        15.0, "A shard announced but not claimed is announced again after this", low=0.5, high=3_600
    )
    collector_poll_s: float = _setting(
        0.5, "The collector looks for finished stages this often", low=0.05, high=600
    )
    rescue_poll_s: float = _setting(
        1.0,
        "Expired leases, deadlines and stragglers are looked for this often",
        low=0.05,
        high=600,
    )
    keep_jobs_days: float = _setting(
        30.0, "Final jobs are deleted after so many days, 0 never", low=0, high=36_500
    )
    keep_raw_days: float = _setting(
        7.0, "Raw answers of models are erased after so many days, 0 never", low=0, high=36_500
    )
    keep_hooks_days: float = _setting(
        30.0, "What senders posted to triggers is erased after so many days, 0 never",
        low=0,
        high=36_500,
    )  # fmt: skip
    finish_settle_s: float = _setting(
        30.0,
        "Time that calls in flight get to settle when a job finishes early",
        low=0,
        high=86_400,
    )

    notifier_poll_s: float = _setting(
        1.0, "The notifier looks for webhooks that are due this often", low=0.05, high=600
    )
    webhook_retries_s: str = _setting(
        "0,5,300,1800,7200,18000,36000,86400",
        "Waits in seconds before each try of a webhook, the first included; each varies by 10%",
    )
    webhook_wall_s: float = _setting(
        15.0, "Time a receiver of a webhook gets to answer", low=0.1, high=300
    )
    webhook_batch_s: float = _setting(
        5.0, "results.ready and subtask.failed are sent at most this often for a job", low=0.05,
        high=86_400,
    )  # fmt: skip
    webhook_slots: int = _setting(
        200, "Webhooks one notifier has under way at once", low=1, high=10_000
    )
    webhook_endpoint_slots: int = _setting(
        4, "The same to one endpoint; one only to an endpoint that fails", low=1, high=1_000
    )
    webhook_disable_days: float = _setting(
        3.0,
        "An endpoint is disabled when it failed for so many days and three events were given up, "
        "0 never",
        low=0,
        high=365,
    )
    webhook_loopback: bool = _setting(
        False, "Webhooks may go to this machine itself; `apwa up` on loopback sets it"
    )
    keep_deliveries_days: float = _setting(
        30.0, "The log of webhooks is kept for so many days, 0 for ever", low=0, high=36_500
    )

    cut_batch_shards: int = _setting(
        200, "Shards written in one transaction while cutting", low=1, high=10_000
    )
    shard_max_units: int = _setting(500, "Most units in one shard", low=1, high=10_000)
    shard_size: int = _setting(
        0, "Units per shard; 0 = computed from units and free slots", low=0, high=10_000
    )
    shard_max_bytes: int = _setting(4_000_000, "Most input bytes in one shard", low=1_000)
    stream_shard_rows: int = _setting(
        100, "So many records of a stream make a shard at once; most in one shard", low=1,
        high=10_000,
    )  # fmt: skip
    stream_max_age_s: float = _setting(
        0.5, "Fewer records of a stream make a shard after this time", low=0.01, high=3_600
    )
    stream_max_behind_rows: int = _setting(
        100_000, "Records of a stream without an outcome, above which appending is refused", low=1
    )
    stream_max_behind_bytes: int = _setting(
        500_000_000, "The same in bytes, by their mean size", low=1_000
    )
    unit_max_bytes: int = _setting(32_000_000, "Largest input of one unit", low=1_000)
    output_max_bytes: int = _setting(16_000_000, "Largest output of one unit", low=1_000)
    unit_timeout_s: float = _setting(
        120.0, "Time one unit may take unless its stage says otherwise", low=0.1, high=86_400
    )
    retries: int = _setting(
        2, "Tries after the first, unless a stage says otherwise", low=0, high=20
    )
    max_stages: int = _setting(50, "Most stages of one plan", low=1, high=1_000)
    max_subtasks: int = _setting(2_000_000, "Most subtasks of one job", low=1)

    openai_api_key: str = _setting("", "Key of the default model endpoint", secret=True)
    openai_base_url: str = _setting(
        "", "Default model endpoint, as https://host/v1; unset = OpenAI's own if a key is set"
    )
    model: str = _setting("", "Model of the default endpoint; gpt-4.1-mini on OpenAI's own")
    endpoints: str = _setting(
        "",
        "More model endpoints, a JSON object by name: planner, worker, judge, fallback, or any",
        secret=True,
    )
    default_budget_usd: float = _setting(
        10.0, "US dollars a job may spend when neither it nor its project says", low=0
    )
    default_budget_tokens: int = _setting(
        20_000_000, "Tokens such a job may use; what holds where no price is known", low=0
    )
    model_client: str = _setting(
        "package",
        "How model calls travel: by the openai package, or by plain HTTP at less CPU",
        choices=("package", "plain"),
    )
    model_answer_max_bytes: int = _setting(
        10_000_000, "Largest answer of a model that is read", low=10_000, high=1_000_000_000
    )

    chat_max_output_tokens: int = _setting(
        32_768,
        "Most tokens a ready chat body may ask for; a body that sets no limit gets this one",
        low=1,
        high=10_000_000,
    )

    unit_max_images: int = _setting(20, "Most images one unit may show a model", low=1, high=1_000)
    unit_max_image_bytes: int = _setting(
        10_000_000, "Most bytes the images of one unit may have together", low=1_000
    )

    allow_networks: str = _setting(
        "", "Networks that are not public and may be fetched from, as 10.1.0.0/16, fd00::/8"
    )
    fetch_max_bytes: int = _setting(
        5_000_000, "Largest web page that is read", low=1_000, high=100_000_000
    )
    fetch_wall_s: float = _setting(30.0, "Time one web page may take", low=0.1, high=600)
    remote_prefixes: str = _setting(
        "",
        "Addresses below which inputs may be read beside the web, as s3://bucket/in/, "
        "file:///srv/data/",
    )
    remote_options: str = _setting(
        "",
        'Keys and options for them by scheme, a JSON object as {"s3": {"key": ..., "secret": ...}}',
        secret=True,
    )
    input_wall_s: float = _setting(
        600.0, "Time the input of a job may take to come from its address", low=0.1, high=86_400
    )

    mcp_servers: str = _setting(
        "",
        "MCP servers whose tools agents may use, a JSON object by name; for workers",
        secret=True,
    )

    chunk_bytes: int = _setting(
        1_000_000, "Aimed size of one stored piece of a table", low=1_000, high=100_000_000
    )
    read_memory_bytes: int = _setting(1_000_000_000, "Memory a file reader may use", low=50_000_000)
    read_wall_s: float = _setting(600.0, "Time a file reader may take", low=1, high=86_400)
    sql_memory_bytes: int = _setting(512_000_000, "Memory one SQL unit may use", low=50_000_000)
    sql_wall_s: float = _setting(300.0, "Time one SQL unit may take", low=1, high=86_400)
    stop_grace_s: float = _setting(
        10.0, "Time a process gets to stop before it is killed", low=0, high=600
    )

    @property
    def webhook_delays_s(self) -> tuple[float, ...]:
        """Return ``webhook_retries_s`` as numbers; raises ValueError."""
        return tuple(float(part) for part in self.webhook_retries_s.split(","))

    @property
    def sqlalchemy_url(self) -> str:
        """Return ``database_url`` with the driver named, as SQLAlchemy wants it."""
        return f"postgresql+psycopg://{self.database_url.partition('://')[2]}"


def load_settings(environ: Mapping[str, str] | None = None, *, stores: bool = True) -> Settings:
    """Read and check every setting at once.

    ``environ`` stands for the environment of the process; an empty value counts as unset.
    ``stores`` demands the addresses of both stores, which every service needs and the command
    line does not. Raises SettingsError with all problems, misspelt names included.
    """
    source = os.environ if environ is None else environ
    values, problems = _parse({name: value for name, value in source.items() if value.strip()})
    settings = Settings(**values)
    problems += _unknown_names(source) + _contradictions(settings)
    if stores:
        problems += [
            f"{env_name(name)}: must be set"
            for name in ("database_url", "redis_url")
            if not getattr(settings, name) and not any(env_name(name) in text for text in problems)
        ]
    if problems:
        raise SettingsError(problems)
    return settings


def env_name(setting: str) -> str:
    """Return the environment variable of a setting: ``lease_s`` is ``APWA_LEASE_S``."""
    return FOREIGN_NAMES.get(setting, PREFIX + setting.upper())


def child_environ(**settings: str | int | float) -> dict[str, str]:
    """Return this process's environment with some settings replaced, to start a child with."""
    return dict(os.environ) | {env_name(name): str(value) for name, value in settings.items()}


def describe_settings() -> str:
    """Return the text of ``.env.example``: every setting, its help, its range, its default."""
    blocks = [
        "# Every setting of APWA with its default. Lines stay comments until wanted.\n"
        "# Written by `python -m shared.settings`: change shared/settings.py, then run it again."
    ]
    for item in fields(Settings):
        bounds = _bounds_text(item.metadata)
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        blocks.append(f"# {item.metadata['help']}{bounds}.\n# {env_name(item.name)}={default}")
    return "\n\n".join(blocks) + "\n"


class _MappingEnv(Env):
    """Reads a given mapping instead of the environment of the process."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._given = values

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._given.get(env_key, default)


def _parse(source: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the readable values by setting, and a sentence per unreadable one."""
    env = _MappingEnv(source)
    kinds = get_type_hints(Settings)
    readers: dict[type, Callable[..., Any]] = {
        str: env.str,
        int: env.int,
        float: env.float,
        bool: env.bool,
    }
    values: dict[str, Any] = {}
    for item in fields(Settings):
        read = readers[kinds[item.name]]
        value = read(
            env_name(item.name), item.default, validate=_validators(item.name, item.metadata)
        )
        values[item.name] = item.default if value is None else value
    try:
        env.seal()
    except EnvValidationError as error:
        messages = cast("dict[str, list[str]]", error.error_messages)
        return values, [f"{name}: {' '.join(texts)}" for name, texts in messages.items()]
    return values, []


def _validators(name: str, metadata: Mapping[str, Any]) -> list[validate.Validator]:
    found: list[validate.Validator] = []
    if metadata["low"] is not None or metadata["high"] is not None:
        found.append(validate.Range(min=metadata["low"], max=metadata["high"]))
    if metadata["choices"]:
        found.append(validate.OneOf(metadata["choices"]))
    schemes = {
        "database_url": _DATABASE_SCHEMES,
        "redis_url": _REDIS_SCHEMES,
        "api_url": ("http", "https"),
        "openai_base_url": ("http", "https"),
    }
    if name in schemes:
        found.append(_Scheme(schemes[name]))
    return found


class _Scheme(validate.Validator):
    """Accepts addresses that open with one of the given schemes; never repeats the address."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes

    def __call__(self, value: str) -> str:
        scheme, mark, rest = value.partition("://")
        if scheme not in self.schemes or not mark or not rest:
            wanted = " or ".join(f"{scheme}://" for scheme in self.schemes)
            raise ValidationError(f"Must be an address that begins with {wanted}.")
        urlsplit(value)
        return value


def _unknown_names(source: Mapping[str, str]) -> list[str]:
    known = [env_name(item.name) for item in fields(Settings)]
    problems = []
    for name in sorted(source):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            problems.append(
                f"{name}: no such setting" + (f"; did you mean {near[0]}?" if near else "")
            )
    return problems


def _contradictions(settings: Settings) -> list[str]:
    problems = []
    if settings.heartbeat_s * 3 > settings.lease_s:
        problems.append(
            "APWA_HEARTBEAT_S: must be at most a third of APWA_LEASE_S, or leases run out"
        )
    if settings.api_url and not settings.api_key:
        problems.append("APWA_API_KEY: must be set when APWA_API_URL is")
    keys = [key.strip() for key in settings.secret_keys.split(",")]  # as SecretBox takes them
    if any(0 < len(key) < LEAST_KEY_CHARS for key in keys):
        problems.append(f"APWA_SECRET_KEYS: each key must have {LEAST_KEY_CHARS} characters")
    problems += _delay_problems(settings)
    problems += _network_problems("metrics_networks", settings.metrics_networks)
    problems += _remote_problems(settings)
    problems += _fault_problems(settings)
    return problems + _network_problems("allow_networks", settings.allow_networks)


def _fault_problems(settings: Settings) -> list[str]:
    if not settings.faults:
        return []
    if settings.mode == "production":
        return ["APWA_FAULTS: refused unless APWA_MODE=development"]
    try:
        parse(settings.faults)
    except ValueError as error:
        return [f"APWA_FAULTS: {error}"]
    return []


def _remote_problems(settings: Settings) -> list[str]:
    problems = []
    try:
        parse_prefixes(settings.remote_prefixes)
    except ValueError as error:
        problems.append(f"APWA_REMOTE_PREFIXES: {error}")
    try:
        options = json.loads(settings.remote_options or "{}")
    except ValueError:
        options = None
    if not isinstance(options, dict) or not all(isinstance(one, dict) for one in options.values()):
        problems.append("APWA_REMOTE_OPTIONS: must be a JSON object of objects, one per scheme")
    return problems


def _delay_problems(settings: Settings) -> list[str]:
    try:
        delays = settings.webhook_delays_s
    except ValueError:
        delays = ()
    if 1 <= len(delays) <= MOST_TRIES and all(0 <= one <= LONGEST_DELAY_S for one in delays):
        return []
    return [
        f"APWA_WEBHOOK_RETRIES_S: write 1 to {MOST_TRIES} numbers from 0 to {LONGEST_DELAY_S}, "
        "with commas"
    ]


def _network_problems(setting: str, text: str) -> list[str]:
    problems = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            ip_network(part)
        except ValueError as error:
            problems.append(f"{env_name(setting)}: {error}")
    return problems


def _bounds_text(metadata: Mapping[str, Any]) -> str:
    if metadata["choices"]:
        return f" ({', '.join(metadata['choices'])})"
    low, high = metadata["low"], metadata["high"]
    if low is None:
        return ""
    return f" (at least {low})" if high is None else f" ({low} to {high})"


if __name__ == "__main__":
    sys.stdout.write(describe_settings())
