"""Shards that were lost and wait, found without a look at all that wait."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """CREATE INDEX shards_lost ON shards (id)
          WHERE status IN ('pending', 'dispatched') AND lost > 0"""
    )


def downgrade() -> None:
    op.execute("DROP INDEX shards_lost")
