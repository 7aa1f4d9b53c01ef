"""The only Celery set-up; doorbells are rung after commit, off the caller's path."""
