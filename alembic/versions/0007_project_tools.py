"""Which tools the agents of a project may use."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """NULL allows every tool there is, an empty list none."""
    op.execute("ALTER TABLE projects ADD COLUMN tools text[]")


def downgrade() -> None:
    op.execute("ALTER TABLE projects DROP COLUMN tools")
