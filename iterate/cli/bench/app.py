"""``iterate bench``: run a benchmark, rank results, compare rankings, hand in a submission."""

from __future__ import annotations

from typing import Any

import typer

from iterate.cli.bench.compare import compare
from iterate.cli.bench.leaderboard import leaderboard
from iterate.cli.bench.run import run
from iterate.cli.bench.submit import submit
from iterate.cli.views.groups import NearestGroup


class _RunUnlessNamed(NearestGroup):
    """``iterate bench --suite NAME`` is ``iterate bench run --suite NAME``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and _begins_a_run(args[0]) and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def _begins_a_run(word: str) -> bool:
    """Whether a word is an option or an override rather than the name of a command."""
    return word.startswith(("-", "~")) or "=" in word


app = typer.Typer(
    cls=_RunUnlessNamed,
    help="Rank backbones over a benchmark suite: `iterate bench --suite NAME --backbones A,B` "
    "runs it, as `iterate bench run` does.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(leaderboard)
app.command()(compare)
app.command()(submit)
