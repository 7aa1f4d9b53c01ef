"""Settings: defaults, ranges, addresses, and every problem told at once."""

import json
import logging

import pytest

from shared.log import configure_logging, get_logger
from shared.settings import Settings, SettingsError, child_environ, load_settings

STORES = {
    "APWA_DATABASE_URL": "postgresql://apwa:s3cret@127.0.0.1:5432/apwa",
    "APWA_REDIS_URL": "redis://127.0.0.1:6379/0",
}


@pytest.fixture
def own_root_logger():
    """Hand back the root logger as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"APWA_REMOTE_PREFIXES": "s3://bucket/in"}, "APWA_REMOTE_PREFIXES: s3://bucket/in: it"),
        ({"APWA_REMOTE_PREFIXES": "https://a.example/"}, "APWA_REMOTE_PREFIXES: https://a.ex"),
        ({"APWA_REMOTE_OPTIONS": "secret"}, "APWA_REMOTE_OPTIONS: must be a JSON object"),
        ({"APWA_REMOTE_OPTIONS": '{"s3": "secret"}'}, "APWA_REMOTE_OPTIONS: must be a JSON"),
    ],
)
def test_where_inputs_may_come_from_is_checked_at_the_start(given, said):
    with pytest.raises(SettingsError) as refused:
        load_settings(given, stores=False)

    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_nothing_but_the_two_stores_must_be_given():
    settings = load_settings(STORES)

    assert settings.lease_s == 30.0
    assert settings.database_url == STORES["APWA_DATABASE_URL"]


def test_numbers_and_switches_are_read_as_what_they_are():
    settings = load_settings(STORES | {"APWA_LEASE_S": "4.5", "APWA_RETRIES": "0"})

    assert (settings.lease_s, settings.retries) == (4.5, 0)


def test_an_empty_value_counts_as_unset():
    assert load_settings(STORES | {"APWA_LEASE_S": " "}).lease_s == 30.0


def test_all_problems_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        load_settings({"APWA_LEASE_S": "soon", "APWA_RETRIES": "-1", "APWA_LOG_LEVEL": "LOUD"})

    named = {problem.partition(":")[0] for problem in caught.value.problems}
    assert named == {
        "APWA_LEASE_S",
        "APWA_RETRIES",
        "APWA_LOG_LEVEL",
        "APWA_DATABASE_URL",
        "APWA_REDIS_URL",
    }


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(SettingsError, match=r"APWA_LEASES_S: .*did you mean APWA_LEASE_S\?"):
        load_settings(STORES | {"APWA_LEASES_S": "3"})


def test_other_programs_variables_are_none_of_our_business():
    assert load_settings(STORES | {"PATH": "/bin", "LEASE_S": "3"}).lease_s == 30.0


def test_a_refused_address_is_not_repeated_in_the_message():
    with pytest.raises(SettingsError) as caught:
        load_settings(STORES | {"APWA_DATABASE_URL": "mysql://apwa:s3cret@host/apwa"})

    assert "APWA_DATABASE_URL" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_heartbeat_slower_than_a_third_of_the_lease_is_refused():
    with pytest.raises(SettingsError, match="APWA_HEARTBEAT_S"):
        load_settings(STORES | {"APWA_LEASE_S": "3", "APWA_HEARTBEAT_S": "1.5"})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_the_database_address_gets_the_driver(scheme):
    settings = load_settings(STORES | {"APWA_DATABASE_URL": f"{scheme}://u:p@h:1/d"})

    assert settings.sqlalchemy_url == "postgresql+psycopg://u:p@h:1/d"


def test_a_key_that_seals_is_long_without_the_space_around_it():
    for keys in ("short", "k" * 32 + ",short", " " * 32 + "short"):
        with pytest.raises(SettingsError, match="APWA_SECRET_KEYS"):
            load_settings({**STORES, "APWA_SECRET_KEYS": keys})
    load_settings({**STORES, "APWA_SECRET_KEYS": f"{'k' * 32} , {'l' * 32},"})


def test_secrets_stay_out_of_the_printed_settings():
    assert "s3cret" not in repr(load_settings(STORES))


def test_the_command_line_needs_no_stores():
    assert load_settings({}, stores=False) == Settings()


def test_a_child_gets_the_settings_it_is_given(monkeypatch):
    monkeypatch.setenv("APWA_RETRIES", "1")
    environ = child_environ(lease_s=2.5, retries=3)

    assert (environ["APWA_LEASE_S"], environ["APWA_RETRIES"]) == ("2.5", "3")


def test_a_log_line_is_one_json_object_with_its_ids(capsys, own_root_logger):
    configure_logging(load_settings(STORES), "planner")

    get_logger(job_id="job_1").info("job_planned", stages=2)
    logging.getLogger("a_library").warning("said %s", "so")

    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["job_id"], ours["stages"]) == ("job_planned", "job_1", 2)
    assert (theirs["event"], theirs["service"]) == ("said so", "planner")


def test_a_logged_exception_does_not_carry_local_variables(capsys, own_root_logger):
    configure_logging(load_settings(STORES), "worker")

    def fail() -> None:
        row = "row-data"  # what must not be logged
        raise ValueError(len(row))

    try:
        fail()
    except ValueError:
        get_logger().exception("unit_failed")

    line = json.loads(capsys.readouterr().err)
    assert "ValueError: 8" in line["exception"]
    assert "row-data" not in line["exception"]
