"""A randomised soak: many jobs of all kinds while something is killed every few seconds.

`python -m tests.soak --minutes 10 --seed 1`, or `make soak MINUTES=10`.
"""
