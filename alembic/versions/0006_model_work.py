"""What model work needs: tries that burn nothing, and results found by their hash."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN burned boolean NOT NULL DEFAULT true")
    op.execute("ALTER TABLE stages ADD COLUMN ended_early jsonb")
    op.execute(
        "CREATE INDEX results_by_hash ON results USING hash (unit_hash) "
        "WHERE outcome = 'succeeded' AND replica = 0"
    )
