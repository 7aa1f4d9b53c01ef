"""Approval, pilots, and where a paused job goes on."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE jobs
  ADD COLUMN approval text NOT NULL DEFAULT 'none'
    CHECK (approval IN ('none', 'plan', 'pilot')),
  ADD COLUMN approved jsonb,
  ADD COLUMN pilot jsonb,
  ADD COLUMN paused_from text
    CHECK (paused_from IN ('queued', 'planning', 'piloting', 'running')),
  ADD COLUMN resumed_at timestamptz;

ALTER TABLE stages
  ADD COLUMN pilot_units bigint[]
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
