"""Triggers: what senders may post to /hooks, what they posted, and the jobs that came of it."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# `dedup` is the hash of what tells deliveries of one sender apart; it outlives the erased event.
# A delivery makes one job at most: its row is moved on in the transaction that writes the job, and
# `jobs_of_delivery` would refuse a second one.
STATEMENTS = """
CREATE TABLE triggers (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  name text NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  scheme text NOT NULL CHECK (scheme IN ('standard', 'github', 'stripe', 'hmac', 'token')),
  options jsonb NOT NULL DEFAULT '{}',
  secret text NOT NULL,
  former_secret text,
  former_until timestamptz,
  rotated_at timestamptz,
  conditions jsonb NOT NULL DEFAULT '[]',
  target jsonb NOT NULL,
  prepared jsonb,
  jobs_per_hour integer CHECK (jobs_per_hour >= 0),
  microusd_per_day bigint CHECK (microusd_per_day >= 0),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX triggers_of_project ON triggers (project_id, id DESC);

CREATE TABLE trigger_deliveries (
  id text PRIMARY KEY,
  trigger_id text NOT NULL REFERENCES triggers ON DELETE CASCADE,
  dedup text NOT NULL,
  sender_id text,
  status text NOT NULL
    CHECK (status IN ('pending', 'accepted', 'ignored', 'held', 'failed')),
  headers jsonb NOT NULL DEFAULT '{}',
  body bytea NOT NULL DEFAULT '',
  size_bytes integer NOT NULL,
  reason jsonb,
  job_id text,
  records jsonb,
  replay_of text,
  forced boolean NOT NULL DEFAULT false,
  tries integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  claim text,
  claimed_until timestamptz,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at timestamptz,
  erased_at timestamptz,
  UNIQUE (trigger_id, dedup)
);
ALTER TABLE trigger_deliveries ALTER COLUMN body SET STORAGE EXTENDED;
CREATE INDEX trigger_deliveries_pages ON trigger_deliveries (trigger_id, id DESC);
CREATE INDEX trigger_deliveries_due ON trigger_deliveries (due_at) WHERE status = 'pending';
CREATE INDEX trigger_deliveries_of_job ON trigger_deliveries (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX trigger_deliveries_kept ON trigger_deliveries (received_at) WHERE erased_at IS NULL;

ALTER TABLE jobs ADD COLUMN trigger_id text, ADD COLUMN delivery_id text;
CREATE UNIQUE INDEX jobs_of_delivery ON jobs (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX jobs_of_trigger ON jobs (trigger_id, created_at) WHERE trigger_id IS NOT NULL
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take triggers away; the jobs they started stay."""
    op.execute("DROP INDEX jobs_of_trigger, jobs_of_delivery")
    op.execute("ALTER TABLE jobs DROP COLUMN trigger_id, DROP COLUMN delivery_id")
    op.execute("DROP TABLE trigger_deliveries")
    op.execute("DROP TABLE triggers")
