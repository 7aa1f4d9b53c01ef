"""Rounds of planning, and what a planner that was killed need not ask again."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# `replan_round` is the number of the round whose plan is due; NULL while none is.
STATEMENTS = """
ALTER TABLE jobs
  ADD COLUMN round integer NOT NULL DEFAULT 1,
  ADD COLUMN replan_round integer;
ALTER TABLE plans
  ADD COLUMN round integer NOT NULL DEFAULT 1;
CREATE TABLE planning_calls (
  job_id text NOT NULL REFERENCES jobs ON DELETE CASCADE,
  round integer NOT NULL,
  no integer NOT NULL,
  request_hash text NOT NULL,
  reply jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (job_id, round, no)
)
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
