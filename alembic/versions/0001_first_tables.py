"""The first tables: projects, keys, data tables, jobs, plans, stages, shards, results."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE projects (
  id text PRIMARY KEY,
  name text NOT NULL UNIQUE,
  weight integer NOT NULL DEFAULT 1 CHECK (weight > 0),
  allow_external boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  name text NOT NULL,
  key_hash text NOT NULL UNIQUE,
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

CREATE TABLE tables (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  job_id text,
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('input', 'literal', 'stage', 'arrangement')),
  status text NOT NULL CHECK (status IN ('loading', 'open', 'sealed', 'erased')),
  columns jsonb NOT NULL DEFAULT '[]',
  key text,
  row_count bigint NOT NULL DEFAULT 0,
  byte_count bigint NOT NULL DEFAULT 0,
  chunk_count integer NOT NULL DEFAULT 0,
  content_hash text,
  statistics jsonb,
  sample jsonb,
  report jsonb,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  sealed_at timestamptz
);
CREATE INDEX tables_of_project ON tables (project_id, id DESC) WHERE kind = 'input';
CREATE INDEX tables_of_job ON tables (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX tables_loading ON tables (created_at) WHERE status = 'loading';

CREATE TABLE table_chunks (
  table_id text NOT NULL REFERENCES tables ON DELETE CASCADE,
  no integer NOT NULL,
  first_row bigint NOT NULL,
  row_count integer NOT NULL,
  last_unit bigint,
  data bytea NOT NULL,
  PRIMARY KEY (table_id, no)
);
ALTER TABLE table_chunks ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX table_chunks_by_row ON table_chunks (table_id, first_row);

CREATE TABLE jobs (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES projects,
  key_id text,
  status text NOT NULL CHECK (status IN ('queued', 'planning', 'piloting', 'awaiting_approval',
    'running', 'paused', 'finalizing', 'succeeded', 'partial', 'failed', 'cancelled')),
  status_reason jsonb,
  mode text NOT NULL CHECK (mode IN ('batch', 'stream', 'hybrid')),
  goal text,
  planning text NOT NULL,
  given_plan jsonb,
  output jsonb,
  policy jsonb NOT NULL,
  models jsonb NOT NULL DEFAULT '{}',
  labels jsonb NOT NULL DEFAULT '{}',
  priority integer NOT NULL CHECK (priority BETWEEN 1 AND 10),
  version bigint NOT NULL DEFAULT 1,
  plan_version integer,
  plan_hash text,
  planner_id text,
  planner_lease_until timestamptz,
  trouble integer NOT NULL DEFAULT 0,
  finish_as text CHECK (finish_as IN ('cancelled', 'failed')),
  result_table_id text,
  result_rows bigint,
  coverage jsonb,
  usage jsonb,
  timings jsonb,
  failures jsonb,
  error jsonb,
  retry_of text,
  forked_from text,
  request_id text,
  traceparent text,
  event_seq bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'partial', 'failed', 'cancelled')))
) WITH (fillfactor = 70);
CREATE INDEX jobs_of_project ON jobs (project_id, id DESC);
CREATE INDEX jobs_not_final ON jobs (status, id)
  WHERE status NOT IN ('succeeded', 'partial', 'failed', 'cancelled');
CREATE INDEX jobs_by_label ON jobs USING gin (labels jsonb_path_ops);

CREATE TABLE job_inputs (
  job_id text NOT NULL REFERENCES jobs ON DELETE CASCADE,
  name text NOT NULL,
  table_id text NOT NULL REFERENCES tables,
  key text,
  PRIMARY KEY (job_id, name)
);
CREATE INDEX job_inputs_by_table ON job_inputs (table_id);

CREATE TABLE plans (
  job_id text NOT NULL REFERENCES jobs ON DELETE CASCADE,
  version integer NOT NULL,
  engine text NOT NULL,
  document jsonb NOT NULL,
  hash text NOT NULL,
  findings jsonb NOT NULL,
  price jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (job_id, version)
);

CREATE TABLE stages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job_id text NOT NULL REFERENCES jobs ON DELETE CASCADE,
  plan_version integer NOT NULL,
  no integer NOT NULL,
  name text NOT NULL,
  status text NOT NULL
    CHECK (status IN ('waiting', 'open', 'sealing', 'closed', 'abandoned')),
  status_reason jsonb,
  spec jsonb NOT NULL,
  brief text NOT NULL DEFAULT '',
  capability text NOT NULL,
  capability_version text NOT NULL,
  queue text NOT NULL,
  reads jsonb NOT NULL,
  columns jsonb NOT NULL,
  keys text[] NOT NULL DEFAULT '{}',
  max_failed double precision NOT NULL DEFAULT 1.0,
  is_result boolean NOT NULL DEFAULT false,
  source_table_id text,
  output_table_id text,
  unit_count bigint,
  missing jsonb,
  cut_units bigint NOT NULL DEFAULT 0,
  fully_cut boolean NOT NULL DEFAULT false,
  succeeded bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  cancelled bigint NOT NULL DEFAULT 0,
  noted_shards integer NOT NULL DEFAULT 0,
  seal_lease_until timestamptz,
  opened_at timestamptz,
  closed_at timestamptz,
  UNIQUE (job_id, name),
  CONSTRAINT stage_ledger_adds_up CHECK (status <> 'closed'
    OR (unit_count IS NOT NULL AND unit_count = succeeded + failed + skipped + cancelled))
) WITH (fillfactor = 70);
CREATE INDEX stages_by_output ON stages (output_table_id);
CREATE INDEX stages_not_final ON stages (status, id)
  WHERE status IN ('waiting', 'open', 'sealing');

CREATE TABLE shards (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stage_id bigint NOT NULL REFERENCES stages ON DELETE CASCADE,
  job_id text NOT NULL,
  no integer,
  parent_id bigint,
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'dispatched', 'running', 'done', 'cancelled')),
  capability text NOT NULL,
  queue text NOT NULL,
  first_unit bigint NOT NULL,
  last_unit bigint NOT NULL,
  only_units bigint[],
  unit_count integer NOT NULL,
  first_row bigint NOT NULL,
  row_count bigint NOT NULL,
  due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  dispatched_at timestamptz,
  claimed_at timestamptz,
  done_at timestamptz,
  worker_id text,
  fence integer NOT NULL DEFAULT 0,
  lease_until timestamptz,
  lost integer NOT NULL DEFAULT 0,
  alone boolean NOT NULL DEFAULT false,
  succeeded integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  noted_no integer,
  UNIQUE (stage_id, no),
  CONSTRAINT done_shard_settled_every_unit
    CHECK (status <> 'done' OR succeeded + failed = unit_count)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX shards_due ON shards (job_id, due_at) WHERE status IN ('pending', 'dispatched');
CREATE INDEX shards_leased ON shards (lease_until) WHERE status = 'running';
CREATE INDEX shards_open_of_stage ON shards (stage_id)
  WHERE status IN ('pending', 'dispatched', 'running');
CREATE INDEX shards_of_stage_noted ON shards (stage_id, noted_no);

CREATE TABLE shard_deliveries (
  shard_id bigint NOT NULL REFERENCES shards ON DELETE CASCADE,
  fence integer NOT NULL,
  worker_id text,
  claimed_at timestamptz,
  ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ending text NOT NULL CHECK (ending IN ('lost', 'released')),
  PRIMARY KEY (shard_id, fence)
);

CREATE TABLE results (
  stage_id bigint NOT NULL REFERENCES stages ON DELETE CASCADE,
  unit bigint NOT NULL,
  replica smallint NOT NULL DEFAULT 0,
  shard_id bigint NOT NULL,
  outcome text NOT NULL CHECK (outcome IN
    ('succeeded', 'invalid', 'failed', 'refused', 'cancelled', 'skipped')),
  code text,
  detail text,
  output jsonb,
  unit_hash bytea,
  source jsonb,
  missing integer NOT NULL DEFAULT 0,
  attempt smallint NOT NULL,
  worker_id text,
  duration_ms integer NOT NULL DEFAULT 0,
  usage jsonb,
  settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (stage_id, unit, replica)
);
CREATE INDEX results_not_good ON results (stage_id, outcome, unit) WHERE outcome <> 'succeeded';
CREATE INDEX results_of_shard ON results (shard_id, unit);

CREATE TABLE attempts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stage_id bigint NOT NULL REFERENCES stages ON DELETE CASCADE,
  unit bigint NOT NULL,
  replica smallint NOT NULL DEFAULT 0,
  number smallint NOT NULL,
  shard_id bigint NOT NULL,
  fence integer NOT NULL,
  outcome text NOT NULL,
  code text,
  detail text,
  raw text,
  usage jsonb,
  worker_id text,
  duration_ms integer NOT NULL DEFAULT 0,
  ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (stage_id, unit, replica, number)
);

CREATE TABLE events (
  job_id text NOT NULL REFERENCES jobs ON DELETE CASCADE,
  seq bigint NOT NULL,
  id text NOT NULL UNIQUE,
  project_id text NOT NULL,
  type text NOT NULL,
  actor text NOT NULL,
  data jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (job_id, seq)
);

CREATE TABLE idempotency_keys (
  project_id text NOT NULL REFERENCES projects,
  key text NOT NULL,
  request_hash text NOT NULL,
  status integer NOT NULL,
  location text,
  body jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (project_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE capabilities (
  name text NOT NULL,
  version text NOT NULL,
  manifest jsonb NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (name, version)
);

CREATE TABLE workers (
  id text PRIMARY KEY,
  host text NOT NULL,
  pid integer NOT NULL,
  capabilities text[] NOT NULL,
  slots integer NOT NULL,
  busy integer NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_claim_at timestamptz,
  stopped_at timestamptz
) WITH (fillfactor = 50);

CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  project_id text NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  object_id text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_of_object ON audit_log (object_id, id);
"""

# A closed stage's ledger must equal a recount of its results; Postgres itself refuses otherwise.
LEDGER_FUNCTION = """
CREATE FUNCTION refuse_wrong_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  good bigint;
  bad bigint;
BEGIN
  SELECT count(*) FILTER (WHERE outcome = 'succeeded'),
         count(*) FILTER (WHERE outcome IN ('invalid', 'failed', 'refused'))
    INTO good, bad FROM results WHERE stage_id = NEW.id AND replica = 0;
  IF good <> NEW.succeeded OR bad <> NEW.failed THEN
    RAISE EXCEPTION 'ledger of stage % says % succeeded, % failed; a recount finds % and %',
      NEW.name, NEW.succeeded, NEW.failed, good, bad USING ERRCODE = 'AP001';
  END IF;
  RETURN NEW;
END $$;
"""

LEDGER_TRIGGER = """
CREATE TRIGGER stage_ledger_equals_recount BEFORE UPDATE ON stages FOR EACH ROW
  WHEN (NEW.status IN ('closed', 'abandoned') AND OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION refuse_wrong_ledger();
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(LEDGER_FUNCTION)
    op.execute(LEDGER_TRIGGER)
