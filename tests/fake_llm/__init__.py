"""A model endpoint of our own for tests: `python -m tests.fake_llm --port 0 --journal FILE`.

It speaks OpenAI's chat completions in a process of its own, answers by the schema it is asked
for, misbehaves on demand and writes down every call. `process.FakeModel` starts and stops it.
"""
