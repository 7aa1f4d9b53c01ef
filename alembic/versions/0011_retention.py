"""Retention: what is kept for a while only is found without reading what is kept."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE INDEX attempts_with_raw ON attempts (ended_at) WHERE raw IS NOT NULL;
CREATE INDEX planning_calls_by_age ON planning_calls (created_at);
CREATE INDEX jobs_kept ON jobs (finished_at)
  WHERE finished_at IS NOT NULL AND deleted_at IS NULL
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX jobs_kept, planning_calls_by_age, attempts_with_raw")
