"""What an attempt's calls took, by model."""

from services.worker.account import Account
from shared.domain.model_call import Usage


def test_the_sums_name_the_one_model_that_was_asked() -> None:
    account = Account()
    account.add(Usage(10, 2), 7, "small")
    account.add(None, None, "small")
    assert account.to_json() == {
        "calls": 2, "input_tokens": 10, "output_tokens": 2, "cost_microusd": 7, "model": "small",
    }  # fmt: skip


def test_several_models_are_told_apart() -> None:
    account = Account()
    account.add(Usage(10, 2), 7, "small")
    account.add(Usage(1, 1), 100, "large")
    told = account.to_json()
    assert told is not None
    assert (told["calls"], told["cost_microusd"]) == (2, 107)
    assert told["by_model"]["large"]["cost_microusd"] == 100


def test_no_call_is_no_usage() -> None:
    assert Account().to_json() is None
    assert Account().share(1)[0].to_json() is None


def test_the_shares_of_a_call_add_up_to_it() -> None:
    account = Account()
    account.add(Usage(100, 7), 10, "small")
    told = [share.to_json() or {} for share in account.share(3)]
    for name, total in (("calls", 1), ("input_tokens", 100), ("cost_microusd", 10)):
        assert sum(one[name] for one in told) == total
