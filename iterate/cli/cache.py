"""``iterate cache``: what is kept, how much may be, and its removal."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterate.cli.views.console import print_json, say
from iterate.cli.views.groups import NearestGroup
from iterate_core.escaping import in_terminal as escape
from iterate_core.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from iterate_core.storage.inventory import Stored

app = typer.Typer(cls=NearestGroup, help="What is kept to be used again: show, limit, clear.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}


@app.callback(invoke_without_command=True)
def shown(
    context: typer.Context,
    limit: Annotated[
        str | None,
        typer.Option(help="How much kept features may take: 200GB, 1.5TB; auto: half of the disk."),
    ] = None,
    json: _Json = False,
) -> None:
    """Show what the cache holds and what was last used when; with --limit, bound its features."""
    if limit is not None:
        _limit(limit)
    if context.invoked_subcommand is not None:
        return
    told = _described()
    if json:
        print_json(told)
        return
    _say(told)


@app.command()
def clear(
    kind: Annotated[
        str | None, typer.Argument(help="features, packs, generated, hashes or hub.")
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(help="Only what was not used for so many days.", min=0)
    ] = None,
    json: _Json = False,
) -> None:
    """Remove what nobody uses now: of a kind, or all that is made anew without a download."""
    from iterate_core.faults import readable
    from iterate_core.storage.inventory import clear as run

    found = run(kind, older_than)
    size = sum(entry.size for entry in found.removed)
    if json:
        removed, in_use = ([_entry(one) for one in each] for each in (found.removed, found.in_use))
        print_json({"bytes": size, "removed": removed, "in_use": in_use})
        return
    gone = counted(len(found.removed), "entry", "entries")
    say(f"[green]removed[/]  {gone}, {readable(size)}")
    if found.in_use:
        say(f"{counted(len(found.in_use), 'entry', 'entries')} in use: left as they are")


def _limit(text: str) -> None:
    from iterate_core.storage.bounds import choose_limit
    from iterate_core.storage.inventory import keep_to_limit

    choose_limit(None if text == "auto" else _bytes(text))
    keep_to_limit()


def _bytes(text: str) -> int:
    """A size as people write it: ``200GB``.

    Raises:
        RequestError: It is none.
    """
    from iterate_core.errors import Problem, RequestError

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None:
        hint = "Say 200GB, 1.5TB, or auto."
        raise RequestError(Problem("--limit", f"{text!r} is no size.", hint))
    return int(float(found[1]) * unit)


def _described() -> dict[str, Any]:
    """What the cache holds, as plain JSON types."""
    from iterate_core.faults import free_bytes
    from iterate_core.storage.bounds import chosen_limit, limit
    from iterate_core.storage.cache import cache_folder
    from iterate_core.storage.inventory import KINDS, stored

    folder, found = cache_folder(), stored()
    return {
        "folder": str(folder),
        "free_bytes": free_bytes(folder),
        "limit": {"features": limit(folder / "features"), "chosen": chosen_limit() is not None},
        "kinds": {
            kind: {"what": what, "entries": [_entry(one) for one in found if one.kind == kind]}
            for kind, what in KINDS.items()
        },
    }


def _entry(entry: Stored) -> dict[str, Any]:
    used = datetime.fromtimestamp(entry.last_used, UTC).isoformat(timespec="seconds")
    told = {"name": entry.path.name, "bytes": entry.size, "last_used": used}
    return told | {"in_use": entry.in_use, "about": entry.about}


def _say(told: dict[str, Any]) -> None:
    from iterate_core.faults import readable

    say(f"[bold]{escape(told['folder'])}[/]  {readable(told['free_bytes'])} free")
    say(_kinds(told["kinds"]))
    say(_limits(told["limit"]))
    if features := told["kinds"]["features"]["entries"]:
        say(_features(reversed(features)))


def _limits(limit: dict[str, Any]) -> str:
    from iterate_core.faults import readable
    from iterate_core.storage.bounds import ALWAYS

    told = f"features may take {readable(limit['features'])}"
    if limit["chosen"]:
        return told
    by_default = limit["features"] == ALWAYS
    return f"{told}, {'as they always may' if by_default else 'half of what the disk has for them'}"


def _kinds(kinds: dict[str, Any]) -> Table:
    from iterate_core.faults import readable

    table = _table("kind", "entries", "size", "last used", "what it is")
    for name, kind in kinds.items():
        entries = kind["entries"]
        last = max((one["last_used"] for one in entries), default=None)
        size = readable(sum(one["bytes"] for one in entries))
        table.add_row(name, str(len(entries)), size, _ago(last), kind["what"])
    return table


def _features(entries: Iterable[dict[str, Any]]) -> Table:
    from iterate_core.faults import readable

    table = _table("features of", "by", "kept in", "size", "last used")
    for one in entries:
        words = [str(one["about"].get(key, "–")) for key in ("dataset", "backbone", "precision")]
        used = "now" if one["in_use"] else _ago(one["last_used"])
        table.add_row(*map(escape, words), readable(one["bytes"]), used)
    return table


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in ("entries", "size") else "left")
    return table


def _ago(moment: str | None) -> str:
    if moment is None:
        return "–"
    days = (time.time() - datetime.fromisoformat(moment).timestamp()) / 86400
    return "today" if days < 1 else f"{counted(int(days), 'day')} ago"
