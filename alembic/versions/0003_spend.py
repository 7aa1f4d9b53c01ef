"""Budgets: the books of jobs and projects, and the slices processes hold of them."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The books are rows of their own, not columns of `jobs`: they change with every heartbeat of every
# worker, while the collector locks a job's row for as long as a recount takes.
STATEMENTS = """
CREATE TABLE spend_accounts (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  job_id text REFERENCES jobs ON DELETE CASCADE,
  budget_microusd bigint,
  budget_tokens bigint,
  budget_ms bigint,
  spent_microusd bigint NOT NULL DEFAULT 0,
  spent_tokens bigint NOT NULL DEFAULT 0,
  spent_ms bigint NOT NULL DEFAULT 0,
  reserved_microusd bigint NOT NULL DEFAULT 0 CHECK (reserved_microusd >= 0),
  reserved_tokens bigint NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
  reserved_ms bigint NOT NULL DEFAULT 0 CHECK (reserved_ms >= 0),
  unknown_microusd bigint NOT NULL DEFAULT 0 CHECK (unknown_microusd >= 0),
  unknown_tokens bigint NOT NULL DEFAULT 0 CHECK (unknown_tokens >= 0),
  unknown_ms bigint NOT NULL DEFAULT 0 CHECK (unknown_ms >= 0),
  CONSTRAINT account_of_one_owner CHECK (id = coalesce(job_id, project_id))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX spend_accounts_of_job ON spend_accounts (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE spend (
  job_id text NOT NULL REFERENCES jobs ON DELETE CASCADE,
  worker_id text NOT NULL,
  project_id text NOT NULL,
  reserved_microusd bigint NOT NULL DEFAULT 0,
  reserved_tokens bigint NOT NULL DEFAULT 0,
  reserved_ms bigint NOT NULL DEFAULT 0,
  spent_microusd bigint NOT NULL DEFAULT 0,
  spent_tokens bigint NOT NULL DEFAULT 0,
  spent_ms bigint NOT NULL DEFAULT 0,
  unknown_microusd bigint NOT NULL DEFAULT 0,
  unknown_tokens bigint NOT NULL DEFAULT 0,
  unknown_ms bigint NOT NULL DEFAULT 0,
  open boolean NOT NULL DEFAULT true,
  lease_until timestamptz NOT NULL,
  PRIMARY KEY (job_id, worker_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX spend_open ON spend (worker_id) WHERE open;

ALTER TABLE projects
  ADD COLUMN default_budget_microusd bigint,
  ADD COLUMN default_budget_tokens bigint,
  ADD COLUMN default_budget_ms bigint;
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
