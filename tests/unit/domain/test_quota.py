from shared.domain.quota import NAMES, Quotas, is_over


def test_a_project_has_the_defaults_but_for_what_is_its_own() -> None:
    defaults = Quotas(requests_per_minute=5, concurrent_jobs=7)
    own = defaults.with_own({"concurrent_jobs": 1, "of_another_release": 3})
    assert own == Quotas(requests_per_minute=5, concurrent_jobs=1)
    assert set(own.to_json()) == set(NAMES)


def test_no_limit_of_its_own_wins_over_a_default_limit() -> None:
    assert Quotas(rows_per_job=5).with_own({"rows_per_job": 0}).rows_per_job == 0


def test_nothing_is_over_no_limit() -> None:
    assert not is_over(10**18, 0)
    assert not is_over(5, 5)
    assert is_over(6, 5)
