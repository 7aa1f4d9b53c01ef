"""Keys that are rotated, quotas of projects, what was used by the hour, what the auditor found."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# `usage_hours` outlives the results it was summed from: stage '' is planning, model '' what nobody
# can say (money that may have been paid for no answer, answers reused). A stage that is not booked
# is summed from its results. `spend_accounts.day_microusd` counts for `day` only.
STATEMENTS = """
ALTER TABLE api_keys
  ADD COLUMN former_hash text UNIQUE,
  ADD COLUMN former_until timestamptz,
  ADD COLUMN rotated_at timestamptz,
  ADD COLUMN requests_per_minute integer CHECK (requests_per_minute >= 0);
CREATE INDEX api_keys_of_project ON api_keys (project_id, id DESC);

ALTER TABLE projects ADD COLUMN quotas jsonb NOT NULL DEFAULT '{}';

ALTER TABLE spend_accounts
  ADD COLUMN day date,
  ADD COLUMN day_microusd bigint NOT NULL DEFAULT 0;

CREATE TABLE usage_hours (
  job_id text NOT NULL,
  stage text NOT NULL,
  hour timestamptz NOT NULL,
  capability text NOT NULL,
  model text NOT NULL,
  project_id text NOT NULL,
  calls bigint NOT NULL DEFAULT 0,
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cost_microusd bigint NOT NULL DEFAULT 0,
  cache_hits bigint NOT NULL DEFAULT 0,
  cost_unknown_microusd bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (job_id, stage, hour, capability, model)
) WITH (fillfactor = 70);
CREATE INDEX usage_hours_of_project ON usage_hours (project_id, hour);
ALTER TABLE stages ADD COLUMN usage_booked boolean NOT NULL DEFAULT false;
CREATE INDEX stages_usage_not_booked ON stages (job_id)
  WHERE NOT usage_booked AND queue = 'model';

CREATE INDEX jobs_open_of_project ON jobs (project_id) WHERE finished_at IS NULL;
CREATE INDEX jobs_final ON jobs (status) WHERE finished_at IS NOT NULL;
CREATE INDEX tables_stored ON tables (project_id) INCLUDE (byte_count) WHERE status <> 'erased';
CREATE INDEX audit_log_of_project ON audit_log (project_id, id DESC);

CREATE TABLE invariant_looks (
  invariant text PRIMARY KEY,
  broken integer NOT NULL,
  looked_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def upgrade() -> None:
    """Add to what the previous code reads; never take away in the same release."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE invariant_looks")
    op.execute(
        "DROP INDEX audit_log_of_project, tables_stored, jobs_final, jobs_open_of_project,"
        " stages_usage_not_booked"
    )
    op.execute("ALTER TABLE stages DROP COLUMN usage_booked")
    op.execute("DROP TABLE usage_hours")
    op.execute("ALTER TABLE spend_accounts DROP COLUMN day_microusd, DROP COLUMN day")
    op.execute("ALTER TABLE projects DROP COLUMN quotas")
    op.execute("DROP INDEX api_keys_of_project")
    op.execute(
        "ALTER TABLE api_keys DROP COLUMN requests_per_minute, DROP COLUMN rotated_at,"
        " DROP COLUMN former_until, DROP COLUMN former_hash"
    )
