"""The `apwa` command: wires the sub-commands and turns errors into sentences and exit codes."""

import sys
from typing import NoReturn

import typer

from services.cli.commands import (
    accounts,
    api,
    audit,
    batches,
    demo,
    demo_model,
    doctor,
    jobs,
    keys,
    mcp,
    models,
    plan,
    projects,
    records,
    replay,
    run,
    secrets,
    services,
    stack,
    tables,
    triggers,
    webhooks,
    work,
    workflows,
)
from services.cli.exits import CommandError, Exit, table_of_codes
from services.cli.terminal import say
from shared.settings import SettingsError

app = typer.Typer(
    name="apwa",
    help="Plain-language goals over data, run as independent subtasks.",
    epilog=table_of_codes(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("run")(run.run)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(stack.status)
app.command("doctor")(doctor.doctor)
app.command("audit")(audit.audit)
app.command("audit-log")(accounts.audit_log)
app.command("usage")(accounts.usage)
app.command("replay")(replay.replay)
app.command("demo")(demo.demo)
app.command("demo-model")(demo_model.demo_model)
app.command("serve")(services.serve)
app.command("migrate")(services.migrate_database)
app.add_typer(api.app, name="api")
app.add_typer(jobs.app, name="jobs")
app.add_typer(tables.app, name="tables")
app.add_typer(plan.app, name="plan")
app.add_typer(records.app, name="records")
app.add_typer(keys.app, name="keys")
app.add_typer(batches.files, name="files")
app.add_typer(batches.app, name="batches")
app.add_typer(mcp.app, name="mcp")
app.add_typer(models.app, name="models")
app.add_typer(projects.app, name="projects")
app.add_typer(work.app, name="work")
app.add_typer(secrets.app, name="secrets")
app.add_typer(workflows.app, name="workflows")
app.add_typer(triggers.app, name="triggers")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(webhooks.deliveries, name="deliveries")


def main() -> NoReturn:
    """Run the command line and exit with a code of ``exits.Exit``."""
    try:
        app()
    except CommandError as error:
        say(f"apwa: {error}")
        sys.exit(error.code)
    except SettingsError as error:
        say(f"apwa: {error}")
        sys.exit(Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe (`| head`) has gone; nothing to tell
        sys.exit(Exit.SUCCEEDED)
    sys.exit(Exit.SUCCEEDED)
