"""Which model a postponed unit waits for."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN model text")


def downgrade() -> None:
    op.execute("ALTER TABLE attempts DROP COLUMN model")
