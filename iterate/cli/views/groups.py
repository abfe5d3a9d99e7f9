"""Groups of commands that point to the nearest one where there is none of a name."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from typer.core import TyperGroup


class NearestGroup(TyperGroup):
    """Names the nearest command, of its own or of its groups, or the one that takes a file."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of the first word, as click does."""
        word = str(args[0])
        if self.get_command(ctx, word) is None:
            ctx.fail(f"There is no command {word!r}. {self._hint(ctx, word)}")
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: Any, word: str) -> str:
        here = "iterate" + ctx.command_path.removeprefix(ctx.find_root().command_path)
        if word.endswith((".yaml", ".yml")) and "hpo" in self.commands:
            return f"Did you mean '{here} hpo {word}'?"
        paths = dict(_paths(self))
        near = [path for path, name in paths.items() if name == word]
        for name in get_close_matches(word, paths.values(), n=3, cutoff=0.6):
            near += [path for path, last in paths.items() if last == name]
        told = [f"'{here} {path}'" for path in dict.fromkeys(near)]
        if told:
            return f"Did you mean {' or '.join(told[:3])}?"
        return f"There are: {', '.join(sorted(self.commands))}."


def _paths(group: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(``data convert``, ``convert``) of every command."""
    for name, command in group.commands.items():
        yield before + name, name
        if hasattr(command, "commands"):
            yield from _paths(command, f"{before}{name} ")
