"""Keeps the run's own key and project as they are, whatever the run does to keys and projects.

A fuzzer with every scope sooner or later revokes the key it comes with, or gives its project a
limit of nothing; then everything else is a 401 or 429 and the run finds nothing any more.
"""

from tests.stack import Stack

_TRIGGERS = """
CREATE FUNCTION keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.key_hash := OLD.key_hash; NEW.former_hash := OLD.former_hash;
  NEW.expires_at := OLD.expires_at; NEW.revoked_at := OLD.revoked_at;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_key BEFORE UPDATE ON api_keys
  FOR EACH ROW WHEN (OLD.id = '{key}') EXECUTE FUNCTION keep_key();
CREATE FUNCTION keep_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.quotas := OLD.quotas; NEW.tools := OLD.tools;
  NEW.default_budget_microusd := OLD.default_budget_microusd;
  NEW.default_budget_tokens := OLD.default_budget_tokens;
  NEW.default_budget_ms := OLD.default_budget_ms;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_project BEFORE UPDATE ON projects
  FOR EACH ROW WHEN (OLD.id = '{project}') EXECUTE FUNCTION keep_project();
"""


def keep_own_key(stack: Stack) -> None:
    """Install the triggers for the one key and project that exist so far."""
    [(key, project)] = stack.rows("SELECT id, project_id FROM api_keys")
    stack.rows(_TRIGGERS.format(key=key, project=project))
