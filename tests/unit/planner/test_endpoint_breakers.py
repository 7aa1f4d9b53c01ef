from services.planner.engines.endpoint_breakers import EndpointBreakers
from shared.domain.model_call import CallFailure, Reply, Usage
from shared.llm.breaker import FIRST_REST_S, WINDOW
from shared.llm.endpoints import Endpoint

LARGE = Endpoint("planner", "http://127.0.0.1:1/v1", "large")
SAME = Endpoint("default", "http://127.0.0.1:1/v1", "large")
SMALL = Endpoint("small", "http://127.0.0.1:1/v1", "small")
DOWN = CallFailure("overloaded", "HTTP 503")
GOOD = Reply("x", (), "stop", None, Usage(1, 1), "m")


def tripped(now: list[float]) -> EndpointBreakers:
    breakers = EndpointBreakers(lambda: now[0])
    for _ in range(WINDOW):
        breakers.note(LARGE, DOWN)
    return breakers


def test_a_model_that_is_down_is_left_alone_under_whatever_name_and_others_are_not() -> None:
    breakers = tripped([100.0])
    assert breakers.wait_s(LARGE) == breakers.wait_s(SAME) == FIRST_REST_S
    assert breakers.wait_s(SMALL) == 0


def test_after_its_rest_one_call_tries_and_its_success_lets_all_through() -> None:
    now = [100.0]
    breakers = tripped(now)
    now[0] += FIRST_REST_S
    assert breakers.wait_s(LARGE) == 0
    assert breakers.wait_s(LARGE) > 0
    breakers.note(LARGE, GOOD)
    assert breakers.wait_s(LARGE) == breakers.wait_s(SAME) == 0
