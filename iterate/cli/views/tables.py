"""The table at the end of a run."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from iterate.cli.views.classes import class_table, score_text
from iterate.cli.views.progress import duration
from iterate.plots import NOT_DRAWN
from iterate.run.session import RunResult
from iterate_core.escaping import in_terminal as escape
from iterate_core.plurals import counted


def outcome(result: RunResult) -> Group:
    """What each study found, how long it took, and where to look next."""
    panels = [
        Panel(_study(study), title=escape(study["name"])) for study in result.summary["studies"]
    ]
    return Group(*panels, *_classes(result.summary), took(result), *_next(result))


def _classes(summary: dict[str, Any]) -> list[Table]:
    """Each study's scores by class, where its task has classes."""
    return [
        class_table(study["test_classes"], f"{study['name']}: test by class, {_over(study)}")
        for study in summary["studies"]
        if study["test_classes"]
    ]


def _over(study: dict[str, Any]) -> str:
    repeats = sum("classes" in repeat for repeat in study["repeats"])
    return "one repeat" if repeats == 1 else "mean over repeats"


def _study(study: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    objective = study["objective"]
    asked = f"{study['backbone']} on {study['dataset']}, {_aim(objective)}"
    table.add_row("asked", escape(asked))
    table.add_row("trials", _counts(study["trials"]))
    best = study["best"]
    if study["failure"] is not None:
        table.add_row("[red]failed[/]", escape(study["failure"]))
    if (stopped := _stopped(study)) is not None:
        table.add_row("stopped", escape(stopped))
    if best is None:
        return table
    table.add_row("best trial", f"number {best['number']}, validation {best['value']:.4f}")
    for key, value in best["params"].items():
        table.add_row("", f"{escape(key)} = {_figure(value)}")
    if (counts := best.get("parameters")) is not None:
        table.add_row("parameters", f"{counts['trained']:,} of {counts['total']:,} train")
    for metric, figures in study["test"].items():
        style = "bold" if metric == objective["metric"] else ""
        table.add_row(escape(f"test {metric}"), Text(_interval(figures), style=style))
    for repeat in study["repeats"]:
        if "failure" in repeat:
            table.add_row("[red]repeat failed[/]", escape(f"{repeat['seed']}: {repeat['failure']}"))
    return table


def _aim(objective: dict[str, str]) -> str:
    verb = "maximise" if objective["mode"] == "max" else "minimise"
    return f"{verb} {objective['metric']}"


def _counts(trials: dict[str, int]) -> str:
    return f"{trials['complete']} finished, {trials['pruned']} pruned, {trials['failed']} failed"


def _stopped(study: dict[str, Any]) -> str | None:
    """Why the search ended before its trials; None if it did not."""
    drawn, asked = sum(study["trials"].values()), study.get("trials_asked", 0)
    if drawn >= asked or study["stopped"] is None:
        return None
    counts = f"after {drawn} of {counted(asked, 'trial')}"
    # A failed study has said why.
    return counts if study["failure"] is not None else f"{counts}: {study['stopped']}"


def _interval(figures: dict[str, Any]) -> str:
    if figures["mean"] is None:
        return f"{score_text(None)}  (the test split does not define it)"
    mean = f"{figures['mean']:.4f}"
    if figures["low"] is None:
        why = "one repeat" if figures["n"] == 1 else f"{figures['n']} equal repeats"
        return f"{mean}  (interval not known: {why})"
    ends = f"{figures['low']:.4f} to {figures['high']:.4f}"
    return f"{mean}  (95 % interval {ends}, {figures['n']} repeats)"


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def took(result: RunResult) -> Text:
    """How long this command took, and all that continued each other."""
    wall, train = (duration(result.summary[key]) for key in ("wall_seconds", "train_seconds"))
    if result.seconds is None:
        told = f"took {wall}, of which workers trained {train}"
    elif not result.worked:
        told = f"nothing was left to train; in all it took {wall}, and workers trained {train}"
    elif result.continued:
        here = duration(result.seconds)
        told = f"took {here}, with the commands before it {wall}; workers trained {train} in all"
    else:
        told = f"took {duration(result.seconds)}, of which workers trained {train}"
    return Text(told, style="dim")


def _next(result: RunResult) -> list[Text]:
    folder = result.folder
    lines = [Text(f"results    {folder / 'summary.json'}")]
    # A study that found nothing has no recipe, and each of several has one in its own folder.
    if (folder / "recipe.yaml").exists():
        lines.append(Text(f"recipe     iterate fit {folder / 'recipe.yaml'}"))
    if result.backlog is not None:
        lines.append(Text(f"dashboard  iterate ui {folder}"))
    absent = folder / "plots" / NOT_DRAWN
    if absent.is_file():
        lines += [Text(f"no plot    {line}") for line in absent.read_text("utf-8").splitlines()]
    if result.backlog:
        lines.append(Text(str(result.backlog), style="yellow"))
    return lines
