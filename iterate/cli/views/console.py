"""Where the commands speak: people read standard error, machines read standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from iterate_core.errors import RequestError
from iterate_core.escaping import in_terminal as escape
from iterate_core.escaping import visible


class _Console(Console):
    """Sends no control character of a text to the terminal, whoever forgot `in_terminal`."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(visible(text, keep="\n\t"), style)


def stderr() -> Console:
    """The console for people. Made anew each time, so that it follows redirections."""
    return _Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def say(message: RenderableType) -> None:
    """Print something for people."""
    stderr().print(message)


def print_json(value: Any) -> None:
    """Print machine-readable results."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def problems_of(error: RequestError) -> str:
    """Every problem of a wrong request, a line each, below what they come to."""
    headline = error.headline
    if headline is None and len(error.problems) == 1:
        headline, lines = str(error.problems[0]), []
    else:
        headline = headline or f"{len(error.problems)} things to mend:"
        lines = [f"  • {escape(str(problem))}" for problem in error.problems]
    told = [f"[bold red]wrong request[/]  {escape(headline)}", *lines]
    return "\n".join(told if error.advice is None else [*told, escape(error.advice)])
