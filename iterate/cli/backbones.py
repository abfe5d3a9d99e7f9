"""``iterate backbones``: which there are, what they expect, and whether one works here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterate.cli.views.console import print_json, say
from iterate.cli.views.groups import NearestGroup
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from rich.table import Table

    from iterate_core.models.backbones.card import Card

app = typer.Typer(
    cls=NearestGroup, help="Backbones: which there are, what they expect, whether one works here."
)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
_Name = Annotated[str, typer.Argument(help="A name that `iterate backbones` lists, or timm's.")]


@app.callback(invoke_without_command=True)
def listed(
    context: typer.Context,
    json: _Json = False,
    find: Annotated[str, typer.Option(help="Only names that contain this; timm's too.")] = "",
) -> None:
    """List all backbones with size, bands, licence and whether the weights are at hand."""
    if context.invoked_subcommand is not None:
        return
    from iterate_core.models.backbones.catalogue import cards
    from iterate_core.models.backbones.description import described
    from iterate_core.registry import registries

    found = [
        described(registries.backbones.get(name), card)
        for name, card in cards().items()
        if find.casefold() in name
    ]
    carded = {entry["name"] for entry in found}
    others = [n for n in registries.backbones.names() if n not in carded and find.casefold() in n]
    if json:
        print_json({"backbones": found, "others": others})
        return
    say(_table(found))
    shown = f": {', '.join(others)}" if find else ""
    say(f"and {len(others)} from timm and other packages{escape(shown)}")


def _table(found: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("bands", overflow="fold")
    table.add_column("pixels", justify="right", no_wrap=True)
    table.add_column("licence")
    table.add_column("weights", no_wrap=True)
    for entry in found:
        table.add_row(
            escape(entry["name"]),
            _million(entry["parameters"]),
            escape(_bands(entry)),
            str(entry["size"]),
            escape(entry["licence"] or "not stated"),
            _weights(entry),
        )
    return table


def _million(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:.1f} M"


def _bands(entry: dict[str, Any]) -> str:
    if entry["takes"] == "any":
        return "any"
    told = ", ".join(f"{each['name']} ({len(each['bands'])})" for each in entry["modalities"])
    return "any of known wavelength" if entry["takes"] == "wavelengths" else told


def _weights(entry: dict[str, Any]) -> str:
    if entry["at_hand"] is not None:
        return "[green]at hand[/]"
    return "none" if entry["weights"] is None else "to fetch"


@app.command()
def show(name: _Name, json: _Json = False) -> None:
    """Show a backbone's whole card: bands, units, normalisation, files, options."""
    from iterate_core.models.backbones.catalogue import card_of
    from iterate_core.models.backbones.description import described
    from iterate_core.registry import registries

    entry = registries.backbones.get(name, "NAME")
    found = card_of(name) or _card_of_timm(name)
    told = described(entry, found)
    if json:
        print_json(told)
        return
    _tell(told)


def _card_of_timm(name: str) -> Card:
    from iterate_core.models.backbones.timm.backbone import card_for

    return card_for(name)


def _tell(told: dict[str, Any]) -> None:
    weights = told["weights"]
    say(f"[bold]{escape(told['name'])}[/]  {escape(told['title'])}, {escape(told['reference'])}")
    lines = {
        "licence": told["licence"] or "not stated",
        "parameters": _million(told["parameters"]),
        "trained on": f"{told['size']} × {told['size']} pixels",
        "patch": "–" if told["patch"] is None else f"{told['patch']} pixels",
        "takes": _bands(told),
        "several dates": "together" if told["frames"] else "one by one, then merged",
        "dates, places": "yes" if told["coordinates"] else "no",
        "weights": "none published" if weights is None else _file(weights),
        "at hand": told["at_hand"] or "no",
        "options": ", ".join(f"{key}={value}" for key, value in told["options"].items()),
    }
    for key, value in lines.items():
        say(f"[dim]{key:14}[/] {escape(str(value))}")
    for note in told["notes"]:
        say(f"[dim]note[/]           {escape(note)}")
    for modality in told["modalities"]:
        say(_channels(modality))


def _file(weights: dict[str, Any]) -> str:
    revision = weights["revision"] or "newest, recorded when fetched"
    digest = weights["sha256"] or "as the hub announces it"
    return f"{weights['repository']}/{weights['filename']}, revision {revision}, sha256 {digest}"


def _channels(modality: dict[str, Any]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=escape(modality["name"]), title_justify="left", box=box.SIMPLE_HEAD)
    table.show_edge = False
    for heading in ("band", "meaning", "µm", "unit", "mean", "std", "cut off"):
        table.add_column(heading)
    for band in modality["bands"]:
        limits = (band["low"], band["high"])
        table.add_row(
            escape(band["name"]),
            escape(band["common"] or "–"),
            _number(band["wavelength"]),
            escape(band["unit"]),
            _number(band["mean"]),
            _number(band["std"]),
            "–" if limits == (None, None) else " to ".join(_number(limit) for limit in limits),
        )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


@app.command()
def check(
    name: _Name,
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Options as in model.backbone, such as weights=FILE depth=2."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the image in pixels; default: as in training.")
    ] = None,
    json: _Json = False,
) -> None:
    """Build a backbone, with its weights, and run a forward pass.

    Without `weights=…` the published weights are fetched; `weights=none` takes random ones.
    """
    from iterate_core.engine.rehearsal import rehearse

    told = rehearse(name, _options(options or []), size)
    if json:
        print_json(told)
        return
    say(f"[green]works[/]  {escape(name)}: {told['parameters']:,} parameters, built in "
        f"{told['build_seconds']:.1f} s")  # fmt: skip
    say(f"[dim]bands[/]  {escape(', '.join(told['bands']))}")
    say(f"[dim]pooled[/] {told['pooled']}")
    for level in told["maps"]:
        say(f"[dim]map[/]    {level['shape']} at stride {level['stride']}")


def _options(words: list[str]) -> dict[str, Any]:
    from pathlib import Path

    import yaml

    from iterate.config.messages import unreadable
    from iterate.config.yaml_files import FAILURES
    from iterate_core.errors import Problem, RequestError

    wrong = [word for word in words if "=" not in word]
    if wrong:
        what = f"{', '.join(wrong)}: options are written key=value."
        raise RequestError(Problem("command line", what))
    pairs = (word.split("=", 1) for word in words)
    try:
        return {key: yaml.safe_load(value) for key, value in pairs}
    except FAILURES as error:
        raise RequestError(unreadable(Path("command line"), error)) from None
