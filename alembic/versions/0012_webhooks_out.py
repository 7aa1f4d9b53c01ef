"""Webhooks out: where events are sent, what is due, and what became of every try."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE webhook_secrets (
  project_id text PRIMARY KEY REFERENCES projects,
  secret text NOT NULL,
  former_secret text,
  former_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  rotated_at timestamptz
);

CREATE TABLE webhook_endpoints (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  job_id text,
  url text NOT NULL,
  events text[] NOT NULL,
  description text NOT NULL DEFAULT '',
  secret text,
  former_secret text,
  former_until timestamptz,
  failing_since timestamptz,
  exhausted integer NOT NULL DEFAULT 0,
  disabled_at timestamptz,
  disabled_reason jsonb,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((job_id IS NULL) = (secret IS NOT NULL)),
  CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX webhook_endpoints_of_project ON webhook_endpoints (project_id, id DESC)
  WHERE job_id IS NULL;
CREATE INDEX webhook_endpoints_of_job ON webhook_endpoints (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE deliveries (
  id text PRIMARY KEY,
  project_id text NOT NULL,
  endpoint_id text NOT NULL,
  job_id text,
  event_id text NOT NULL,
  type text NOT NULL,
  body text,
  request_id text,
  traceparent text,
  status text NOT NULL CHECK (status IN
    ('pending', 'succeeded', 'failed', 'skipped', 'cancelled')),
  next_at timestamptz,
  fence integer NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  response_status integer,
  error jsonb,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  UNIQUE (endpoint_id, event_id),
  CHECK ((status = 'pending') = (next_at IS NOT NULL)),
  CHECK ((status = 'pending') = (finished_at IS NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, next_at) WHERE status = 'pending';
CREATE INDEX deliveries_of_project ON deliveries (project_id, id DESC);
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_id, id DESC);
CREATE INDEX deliveries_of_job ON deliveries (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX deliveries_by_age ON deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE delivery_attempts (
  delivery_id text NOT NULL REFERENCES deliveries ON DELETE CASCADE,
  number integer NOT NULL,
  started_at timestamptz NOT NULL,
  duration_ms integer NOT NULL,
  request jsonb,
  response_status integer,
  response jsonb,
  error jsonb,
  PRIMARY KEY (delivery_id, number)
);

CREATE TABLE webhook_batches (
  job_id text PRIMARY KEY,
  noted jsonb NOT NULL DEFAULT '{}',
  due_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);
CREATE INDEX webhook_batches_due ON webhook_batches (due_at);

ALTER TABLE jobs ADD COLUMN webhook jsonb
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE jobs DROP COLUMN webhook")
    op.execute(
        "DROP TABLE webhook_batches, delivery_attempts, deliveries, webhook_endpoints,"
        " webhook_secrets"
    )
