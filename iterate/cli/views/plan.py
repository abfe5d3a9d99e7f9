"""A plan, as people read it."""

from __future__ import annotations

from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from iterate.hpo.space import Space
from iterate.hpo.space.text import dimension_text, value_text
from iterate_core.data.convert.source import shortened
from iterate_core.escaping import in_terminal as escape
from iterate_core.plurals import counted


def view(plan: dict[str, Any], space: Space) -> RenderableType:
    """The recipe, the space as a tree, the budget and the resources of a plan."""
    recipe = yaml.safe_dump(plan["recipe"], sort_keys=False, default_flow_style=None, width=88)
    parts: list[RenderableType] = [Text.from_markup(f"[bold]{escape(plan['name'])}[/]")]
    if plan["note"]:
        parts.append(Text(plan["note"], style="italic"))
    search = _search(plan["search"], varies=plan["points"] != 1)
    parts += [
        Text.from_markup("\n[bold]recipe[/]  (at the base point)"),
        Text(recipe.rstrip()),
        Text(),
        Text.from_markup(f"[bold]data[/]    {escape(data_line(plan['data']))}"),
        *(Text(f"        {note}", style="italic") for note in plan["data"]["notes"]),
        Text(),
        Text.from_markup(f"[bold]bands[/]   {escape(_channels(plan['channels']))}"),
        *(Text(f"        {note}", style="italic") for note in plan["channels"]["notes"]),
        Text(),
        _tree(space, _title(plan)),
        Text(),
        Text.from_markup(f"[bold]search[/]  {escape(search)}"),
        Text.from_markup(f"[bold]trial[/]   {escape(_resources(plan['resources'], plan['ray']))}"),
        *_environment(plan["environment"]),
        Text.from_markup(f"[bold]source[/]  {escape(plan['source'])}"),
    ]
    return Group(*parts)


def data_line(told: dict[str, Any]) -> str:
    """A dataset in one line: its task, classes, samples, dates, size and coordinates."""
    samples = " / ".join(f"{count} {split}" for split, count in told["samples"].items())
    height, width = told["pixels"]
    words = [f"{told['name']}: {told['task']} ({shortened(told['classes'])})", samples]
    if told["frames"] > 1:
        words.append(counted(told["frames"], "date"))
    metres = f" of {told['metres']:g} m" if told["metres"] else ""
    words.append(f"{height}×{width} pixels{metres}")
    if (finer := told["finer"]) > 1:
        words.append(f"targets {finer} times as fine: {height * finer}×{width * finer} cells")
    return "; ".join([*words, *([told["crs"]] if told["crs"] else [])])


def _channels(told: dict[str, Any]) -> str:
    """``red ← 04 - Red``, or the names alone where they are the same."""
    pairs = [(each["channel"], each["band"]) for each in told["channels"]]
    if all(channel == band for channel, band in pairs):
        return ", ".join(channel for channel, _ in pairs)
    return ", ".join(f"{channel} ← {band or 'nothing'}" for channel, band in pairs)


def _title(plan: dict[str, Any]) -> str:
    if not plan["space"]:
        return "[bold]space[/]  nothing varies"
    points = plan["points"]
    return f"[bold]space[/]  {'continuous' if points is None else f'{points} points'}"


def _tree(space: Space, title: str) -> Tree:
    tree = Tree(title, guide_style="dim")
    for parameter in space.parameters:
        text = dimension_text(parameter.dimension)
        branch = tree.add(f"{escape(parameter.key)}: [cyan]{escape(text)}[/]")
        for value, inner in parameter.options():
            if inner:
                branch.add(_tree(inner, escape(value_text(value))))
    return tree


def _search(search: dict[str, Any], *, varies: bool) -> str:
    words = [f"{counted(search['trials'], 'trial')} by {_options(search['sampler'])}"]
    if not varies:
        words = ["nothing varies: one trial"]
    if search["scheduler"]["name"] != "none":
        words.append(f"stopped early by {_options(search['scheduler'])}")
    if search["hours"]:
        words.append(f"at most {search['hours']:g} hours")
    if search["trial_hours"]:
        words.append(f"a trial at most {search['trial_hours']:g} hours")
    if search["patience"]:
        words.append(f"ends after {search['patience']} trials without progress")
    best = "the best" if varies else "it"
    words.append(f"then {counted(search['repeats'], 'repeat')} of {best}")
    return "; ".join(words)


def _environment(read: dict[str, list[str]]) -> list[Text]:
    """Which keys the environment set, and through which variables; their values stay unsaid."""
    if not read:
        return []
    told = [
        f"{key} ← {', '.join(f'${name}' for name in names) or 'a key that reads it'}"
        for key, names in read.items()
    ]
    return [Text.from_markup(f"[bold]environment[/]  {escape('; '.join(told))}")]


def _options(component: dict[str, Any]) -> str:
    options = ", ".join(f"{key} {value}" for key, value in component.items() if key != "name")
    return str(component["name"]) + (f" ({options})" if options else "")


_OPEN = {
    None: "a GPU if there is any",
    "auto": "a GPU if there is any, or a part of one once a trial has shown how many fit",
}


def _resources(resources: dict[str, Any], ray: dict[str, Any]) -> str:
    gpu = resources["gpu"]
    words = [
        f"{resources['cpu']:g} CPU",
        _OPEN.get(gpu) or f"{gpu:g} GPU",
    ]
    if resources["concurrent"]:
        words.append(f"at most {resources['concurrent']} at a time")
    if resources["together"]:
        words.append(f"at most {resources['together']} heads as one")
    words.append(f"on the cluster {ray['address']}" if ray["address"] else "on this machine")
    return ", ".join(words) + ("; it trains on the CPU" if gpu == 0 else "")
