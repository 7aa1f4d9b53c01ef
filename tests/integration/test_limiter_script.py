import orjson
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cli.embedded.datastores import Datastores
from shared.domain.bucket import Flow, RateLimits, share_out
from shared.llm.limiter_script import SHARE_OUT

RUN = f"""{SHARE_OUT}
local asked = cjson.decode(ARGV[1])
share_out(asked.level, asked.rates, asked.flows)
local given = {{}}
for i, f in ipairs(asked.flows) do given[i] = f.given end
return cjson.encode(given)
"""

drawn_flows = st.lists(
    st.tuples(
        st.integers(1, 60), st.integers(0, 2_000), st.integers(0, 500),
        st.sampled_from([0.0, 0.25, 1.0, 1.5]), st.sampled_from([0.5, 1.0, 3.0, 10.0]),
        st.booleans(), st.sampled_from(["p", "q"]), st.sampled_from(["one", "two"]),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    drawn_flows,
    st.sampled_from([None, 6, 600, 60_000]),
    st.sampled_from([None, 6_000, 600_000]),
    st.floats(-5, 60),
    st.floats(-5_000, 20_000),
)
def test_redis_shares_out_as_the_domain_does(
    stores: Datastores, drawn: list, requests: int | None, inputs: int | None, level: float,
    tokens: float,
) -> None:  # fmt: skip
    rates = RateLimits(requests, input_tokens_per_minute=inputs).per_second()
    flows = [
        Flow(f"{process}/{i:02}", f"job {i}", project, weight, small, calls,
             (calls, calls * (size + out), calls * size, calls * out), virtual)
        for i, (calls, size, out, virtual, weight, small, project, process) in enumerate(drawn)
    ]  # fmt: skip
    asked = {
        "level": [level, 0, tokens, 0],
        "rates": [-1 if rate is None else rate for rate in rates],
        "flows": [
            {"key": f.key, "job": f.job_id, "project": f.project_id, "weight": f.weight,
             "small": f.small, "calls": f.calls, "amounts": f.amounts, "v": f.virtual}
            for f in flows
        ],
    }  # fmt: skip
    with redis.Redis.from_url(stores.redis_url) as client:
        told = orjson.loads(client.eval(RUN, 0, orjson.dumps(asked)))
    assert told == share_out((level, 0, tokens, 0), rates, flows)
