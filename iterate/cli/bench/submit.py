"""``iterate bench submit``: check a submission, and write it if it is valid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterate.cli.views.console import say
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from iterate.bench.suites.suite import Suite

# What tells the folder of a run from one that is to be handed in.
_OF_A_RUN = ("summary.json", "studies.db")


def submit(
    source: Annotated[
        Path,
        typer.Argument(help="A run's folder, a results CSV with every column, or a submission."),
    ],
    suite: Annotated[str, typer.Option(help="geobench-2, or a suite's YAML.")] = "geobench-2",
    info: Annotated[
        Path | None, typer.Option(help="additional_info.json; default: the one beside the CSV.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Make new_submission/ here; without it, only check.")
    ] = None,
) -> None:
    """Check a submission against the leaderboard's rules, and write it if it is valid."""
    import tempfile

    from iterate.bench.leaderboard.results_csv import RESULTS_FILE
    from iterate.bench.leaderboard.submission import INFO_FILE, check_submission
    from iterate.bench.runs.unfinished import missing
    from iterate.bench.suites.suite import load_suite

    chosen = load_suite(suite)
    if not chosen.submission:
        raise RequestError(check_submission(source, chosen))
    if unfinished := missing(source if source.is_dir() else source.parent):
        raise RequestError(unfinished)
    of_a_run = any((source / name).exists() for name in _OF_A_RUN)
    if out is None and source.is_dir() and info is None and not of_a_run:
        problems = check_submission(source, chosen)
        if problems:
            raise RequestError(problems)
        _tell(source, source / INFO_FILE)
        return
    results = source / RESULTS_FILE if source.is_dir() else source
    told = info or results.parent / INFO_FILE
    if out is not None:
        _tell(_write(results, told, out, chosen), told)
        return
    with tempfile.TemporaryDirectory() as scratch:
        _write(results, told, Path(scratch), chosen)
    _tell(source, told)


def _write(results: Path, told: Path, out: Path, suite: Suite) -> Path:
    from iterate.bench.leaderboard.csv_table import table
    from iterate.bench.leaderboard.submission import write_submission

    _, rows, digest = table(results)
    _check_suite(results, digest, suite)
    return write_submission([row for row in rows if row], _info(told), out, suite)


def _check_suite(results: Path, digest: str, suite: Suite) -> None:
    """Refuse results that a run made on another suite."""
    from iterate.bench.leaderboard.about import run_beside
    from iterate.bench.suites.suite import load_suite, suites

    run = run_beside(results, digest)
    if run is None or run.suite == suite.name:
        return
    closed = run.suite in suites() and not load_suite(run.suite).submission
    hint = f"{run.suite} takes no submissions." if closed else "Name its suite with --suite."
    raise RequestError(Problem(str(results), f"is of {run.suite}, not of {suite.name}.", hint))


def _tell(valid: Path, told: Path) -> None:
    empty = [key.strip() for key, value in _info(told).items() if value == ""]
    if empty:
        silent = f"{told} says nothing of {', '.join(empty)}."
        say(f"[yellow]note[/]  {escape(silent)}")
    say(f"valid  {escape(str(valid))}")


def _info(path: Path) -> dict[str, Any]:
    import json

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "It says what people should know of a submission; --info names another."
        raise DataError(Problem(str(path), "is missing.", hint)) from None
    except (OSError, ValueError) as error:
        raise DataError(Problem(str(path), f"cannot be read as JSON: {error}.")) from None
    if not isinstance(content, dict):
        raise DataError(Problem(str(path), "must be an object of keys and values."))
    return content
