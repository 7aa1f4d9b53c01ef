"""Watching a job: notes of shards among its events, view tokens, raw answers that were erased."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# `event_no` is drawn from the job's own counter of events when the collector notes a shard, under
# the job's row lock: shards and events have one order, in which nothing appears late.
STATEMENTS = """
ALTER TABLE shards ADD COLUMN event_no bigint;
CREATE INDEX shards_of_job_noted ON shards (job_id, event_no) WHERE event_no IS NOT NULL;
ALTER TABLE attempts ADD COLUMN raw_erased boolean NOT NULL DEFAULT false;
CREATE TABLE view_tokens (
  id text PRIMARY KEY,
  token_hash text NOT NULL UNIQUE,
  project_id text NOT NULL REFERENCES projects,
  job_id text NOT NULL REFERENCES jobs ON DELETE CASCADE,
  key_id text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX view_tokens_of_job ON view_tokens (job_id);
CREATE INDEX view_tokens_by_end ON view_tokens (expires_at)
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE view_tokens")
    op.execute("ALTER TABLE attempts DROP COLUMN raw_erased")
    op.execute("DROP INDEX shards_of_job_noted")
    op.execute("ALTER TABLE shards DROP COLUMN event_no")
