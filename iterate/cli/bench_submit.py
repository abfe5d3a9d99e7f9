"""``iterate bench submit``: check a submission, and write it if it is valid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from iterate.cli.console import say
from iterate.core.errors import DataError, Problem, RequestError


def submit(
    source: Annotated[
        Path, typer.Argument(help="A results CSV with every column, or a submission's folder.")
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
    from iterate.bench.results import RESULTS_FILE, table
    from iterate.bench.submission import (
        INFO_FILE,
        check_submission,
        repeated_seeds,
        write_submission,
    )
    from iterate.bench.suite import load_suite

    chosen = load_suite(suite)
    if out is None:
        problems = check_submission(source, chosen)
        if problems:
            raise RequestError(problems)
        folder = source
    else:
        results = source / RESULTS_FILE if source.is_dir() else source
        _, rows, _ = table(results)
        told = _info(info or results.parent / INFO_FILE)
        folder = write_submission([row for row in rows if row], told, out, chosen)
    for warning in repeated_seeds(folder):
        say(f"[yellow]note[/]  {escape(warning)}")
    say(f"valid  {escape(str(folder))}")


def _info(path: Path) -> dict[str, Any]:
    import json

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(Problem(str(path), f"cannot be read as JSON: {error}.")) from None
    if not isinstance(content, dict):
        raise DataError(Problem(str(path), "must be an object of keys and values."))
    return content
