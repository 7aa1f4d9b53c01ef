"""Workflows: named plans or goals in numbered versions, and which one a job ran."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# `workflows.version` is the newest one. A version never changes; `defaults` are the options of a
# job, complete. `jobs.workflow` is {id, name, version}: no reference, since jobs outlive workflows.
STATEMENTS = """
CREATE TABLE workflows (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  name text NOT NULL,
  version integer NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (project_id, name)
);
CREATE TABLE workflow_versions (
  workflow_id text NOT NULL REFERENCES workflows ON DELETE CASCADE,
  version integer NOT NULL,
  description text,
  goal text,
  plan jsonb,
  defaults jsonb NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (workflow_id, version),
  CHECK (goal IS NOT NULL OR plan IS NOT NULL)
);
ALTER TABLE jobs ADD COLUMN workflow jsonb
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE jobs DROP COLUMN workflow")
    op.execute("DROP TABLE workflow_versions")
    op.execute("DROP TABLE workflows")
