"""The ``iterate`` command: mounts the commands, and turns errors into sentences and exit codes."""

from __future__ import annotations

import atexit
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from iterate import __version__
from iterate.cli import backbones, cache, export, fit, hpo, plan, predict, report, test, ui
from iterate.cli.bench import app as bench
from iterate.cli.data import app as data
from iterate.cli.views.console import problems_of, say
from iterate.cli.views.groups import NearestGroup
from iterate.run.stopping import Stopped, end_at_once, leave, stoppable
from iterate_core.errors import IterateError, MachineError, RequestError
from iterate_core.escaping import in_terminal
from iterate_core.faults import blaming_machine
from iterate_core.heap import expect_no_garbage

app = typer.Typer(
    name="iterate",
    cls=NearestGroup,
    help="Find the best fine-tuning recipe of a geospatial foundation model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(hpo.hpo)
app.command()(plan.plan)
app.command()(fit.fit)
app.command()(test.test)
app.command()(predict.predict)
app.command()(report.report)
app.command()(export.export)
app.command()(ui.ui)
app.add_typer(backbones.app, name="backbones")
app.add_typer(data.app, name="data")
app.add_typer(cache.app, name="cache")
app.add_typer(bench.app, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"iterate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def program() -> None:
    """The installed command: `main` in a process of its own.

    It imports a great deal, of which nothing ever becomes garbage, and in the end takes nothing
    apart: each would cost a second.
    """
    expect_no_garbage()
    ended: str | int | None = 1
    atexit.register(lambda: end_at_once(ended))  # after what commands import
    try:
        main()
        ended = 0
    except SystemExit as error:
        ended = error.code
        raise


def main() -> None:
    """Run the command line.

    Exit code 0: done; 1: the work failed; 2: the request was wrong; 130 and 143: stopped by Ctrl-C
    and by SIGTERM.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a library's advice to developers is no user's business
    try:
        with stoppable(), blaming_machine(Path.cwd()):
            app()
    except Stopped as stopped:
        say(f"\n[yellow]stopped[/]  {in_terminal(stopped.told)}")
        leave(stopped.exit_code)
    except RequestError as error:
        say(problems_of(error))
        sys.exit(error.exit_code)
    except MachineError as error:
        say(f"[bold yellow]paused[/]  {in_terminal(error)}")
        sys.exit(error.exit_code)
    except IterateError as error:
        say(f"[bold red]failed[/]  {in_terminal(error)}")
        sys.exit(error.exit_code)
