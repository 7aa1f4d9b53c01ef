"""OpenAI-compatible batches: files of request lines, and the batches that run them as jobs."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# An input file is a table of the kind `file`: its lines, cut so that joined they are the file byte
# for byte. Output and error files hold nothing: they are written from the results of the job.
# `metadata` is that of a batch without a job; the labels of the job else.
STATEMENTS = """
ALTER TABLE tables DROP CONSTRAINT tables_kind_check;
ALTER TABLE tables ADD CONSTRAINT tables_kind_check
  CHECK (kind IN ('input', 'literal', 'stage', 'arrangement', 'file'));

CREATE TABLE batches (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  job_id text UNIQUE REFERENCES jobs ON DELETE CASCADE,
  input_file_id text NOT NULL,
  table_id text,
  endpoint text NOT NULL,
  completion_window text NOT NULL,
  model text,
  metadata jsonb,
  errors jsonb,
  total bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  cancelling_at timestamptz,
  CONSTRAINT batch_runs_or_says_why_not CHECK ((job_id IS NULL) = (errors IS NOT NULL))
);
CREATE INDEX batches_of_project ON batches (project_id, id DESC);
CREATE INDEX batches_refused ON batches (created_at) WHERE job_id IS NULL;

CREATE TABLE batch_files (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  role text NOT NULL CHECK (role IN ('input', 'output', 'errors')),
  name text NOT NULL,
  table_id text UNIQUE REFERENCES tables,
  batch_id text REFERENCES batches ON DELETE CASCADE,
  byte_count bigint,
  line_count bigint,
  models jsonb,
  errors jsonb,
  error_count bigint,
  keep_s double precision,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted_at timestamptz,
  stripped_at timestamptz,
  CONSTRAINT file_is_a_table_or_of_a_batch CHECK ((role = 'input') = (table_id IS NOT NULL)
    AND (role = 'input') = (batch_id IS NULL)),
  UNIQUE (batch_id, role)
);
CREATE INDEX batch_files_of_project ON batch_files (project_id, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX batch_files_to_erase ON batch_files (deleted_at)
  WHERE deleted_at IS NOT NULL AND role = 'input'
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Take files and batches away; the jobs of batches stay."""
    op.execute("DROP TABLE batch_files")
    op.execute("DROP TABLE batches")
    op.execute("UPDATE tables SET kind = 'input' WHERE kind = 'file'")
    op.execute("ALTER TABLE tables DROP CONSTRAINT tables_kind_check")
    op.execute(
        "ALTER TABLE tables ADD CONSTRAINT tables_kind_check "
        "CHECK (kind IN ('input', 'literal', 'stage', 'arrangement'))"
    )
