"""Streams: input tables that rows are appended to while their job runs."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# `stream_batches` holds what was accepted and is not part of the table's chunks yet; `stream_keys`
# is what deduplicates, and tells when a record came. A batch leaves in the transaction that writes
# its rows into a chunk.
STATEMENTS = """
CREATE TABLE streams (
  table_id text PRIMARY KEY REFERENCES tables ON DELETE CASCADE,
  job_id text NOT NULL UNIQUE REFERENCES jobs ON DELETE CASCADE,
  first_rows bigint NOT NULL DEFAULT 0,
  accepted_rows bigint NOT NULL DEFAULT 0,
  accepted_bytes bigint NOT NULL DEFAULT 0,
  ended_at timestamptz,
  sealed_at timestamptz,
  CONSTRAINT sealed_stream_has_ended CHECK (sealed_at IS NULL OR ended_at IS NOT NULL)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX streams_not_sealed ON streams (job_id) WHERE sealed_at IS NULL;

CREATE TABLE stream_batches (
  table_id text NOT NULL REFERENCES tables ON DELETE CASCADE,
  first_row bigint NOT NULL,
  row_count integer NOT NULL CHECK (row_count > 0),
  data bytea NOT NULL,
  accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (table_id, first_row)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE stream_batches ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE stream_keys (
  table_id text NOT NULL REFERENCES tables ON DELETE CASCADE,
  key text NOT NULL,
  row_no bigint NOT NULL,
  accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (table_id, key),
  UNIQUE (table_id, row_no)
);

ALTER TABLE stages ADD COLUMN streams boolean NOT NULL DEFAULT false
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take the streams away; their tables stay as they are."""
    op.execute("ALTER TABLE stages DROP COLUMN streams")
    for table in ("stream_keys", "stream_batches", "streams"):
        op.execute(f"DROP TABLE {table}")
