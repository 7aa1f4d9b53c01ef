"""The tools of MCP servers, as workers found them."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# `name` is what plans and projects' lists call it, `tool` what its server does.
STATEMENT = """
CREATE TABLE mcp_tools (
  name text PRIMARY KEY,
  server text NOT NULL,
  tool text NOT NULL,
  description text NOT NULL,
  read_only boolean NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    op.execute(STATEMENT)


def downgrade() -> None:
    op.execute("DROP TABLE mcp_tools")
