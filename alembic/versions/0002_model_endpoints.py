"""What `apwa models probe` found out about each model endpoint."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    op.execute("""
        CREATE TABLE model_endpoints (
          name text PRIMARY KEY,
          address_hash text NOT NULL,
          model text NOT NULL,
          abilities jsonb NOT NULL,
          probed_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
    """)
