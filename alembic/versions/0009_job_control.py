"""Job control: deadlines, finalizing, retry and fork, deletion, pauses of projects, stragglers."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# `finishing` is why a job finishes early with what it has, `carry` which outcomes of `retry_of`
# run again. `settle_until`: what still runs of a stage that ended early is cut off then. `slow`: a
# shard whose worker is to give back the units it has not begun. A pause's scope is a project, or *.
STATEMENTS = """
ALTER TABLE jobs
  ADD COLUMN deadline_at timestamptz,
  ADD COLUMN finishing jsonb,
  ADD COLUMN carry jsonb,
  ADD COLUMN deleted_at timestamptz,
  ADD COLUMN erased_at timestamptz;
CREATE INDEX jobs_with_deadline ON jobs (deadline_at)
  WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX jobs_deleted ON jobs (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX jobs_to_erase ON jobs (deleted_at) WHERE deleted_at IS NOT NULL AND erased_at IS NULL;
ALTER TABLE stages ADD COLUMN settle_until timestamptz;
ALTER TABLE shards ADD COLUMN slow boolean NOT NULL DEFAULT false;
CREATE INDEX results_not_good_by_hash ON results USING hash (unit_hash)
  WHERE outcome <> 'succeeded' AND replica = 0;
CREATE INDEX idempotency_keys_by_object ON idempotency_keys ((body->>'id'));
CREATE TABLE pauses (
  scope text PRIMARY KEY,
  paused_by text NOT NULL,
  paused_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE pauses")
    op.execute("DROP INDEX idempotency_keys_by_object, results_not_good_by_hash")
    op.execute("ALTER TABLE shards DROP COLUMN slow")
    op.execute("ALTER TABLE stages DROP COLUMN settle_until")
    op.execute(
        "ALTER TABLE jobs DROP COLUMN deadline_at, DROP COLUMN finishing, DROP COLUMN carry, "
        "DROP COLUMN deleted_at, DROP COLUMN erased_at"
    )
