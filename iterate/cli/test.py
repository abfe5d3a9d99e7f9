"""``iterate test recipe.yaml``: test what ``iterate fit`` trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from iterate.cli.fit import AsJson, Out, Overrides, RecipeFile, recipe_and_folder
from iterate.cli.views.classes import class_table, score_text
from iterate.cli.views.console import print_json, say
from iterate_core.data.dataset import Split
from iterate_core.errors import Problem, RequestError
from iterate_core.escaping import in_terminal

if TYPE_CHECKING:
    from iterate_core.engine.resolved import Prepared

_MOST_NAMES = 8


def test(
    file: RecipeFile,
    overrides: Overrides = None,
    out: Out = None,
    split: Annotated[Split, typer.Option(help="The split to evaluate.")] = "test",
    json: AsJson = False,
) -> None:
    """Evaluate the checkpoint that was best on validation."""
    prepared, folder = recipe_and_folder(file, overrides or [], out)
    recipe = prepared.recipe
    if out is None and not (folder / "best.safetensors").exists():
        folder = _trained(prepared, file.resolve().parent, folder)
    if not (folder / "best.safetensors").exists():
        what = f"holds no checkpoint of this recipe ({recipe.model.backbone.name})."
        raise RequestError(Problem(str(folder), what, f"Train it first: iterate fit {file}"))

    from iterate_core.engine.fit import evaluate

    found = evaluate(prepared, folder, split)
    told = found.to_mapping()
    table = Table(box=None, header_style="bold")
    table.add_column("metric")
    table.add_column("value", justify="right")
    objective = f"{split}/{recipe.objective.metric}"
    # The objective first; the others as the task declares them.
    names = sorted(found.metrics, key=lambda name: name != objective)
    for name in names:
        table.add_row(in_terminal(name), score_text(told[name]))
    say(table)
    if undefined := [name for name in names if told[name] is None]:
        say(f"[dim]note[/]  this split does not define {in_terminal(', '.join(undefined))}")
    if "classes" in told:
        say(class_table(told["classes"], split))
    if json:
        print_json(told)


def _trained(prepared: Prepared, beside: Path, fitted: Path) -> Path:
    """The trial or repeat of the run beside the file that trained this recipe.

    Raises:
        RequestError: The run holds others alone.
    """
    from iterate.run.trained import checkpoint_of, trainings

    there = list(trainings(beside))
    found = checkpoint_of(prepared.identity, iter(there)) if there else None
    if found is not None:
        say(f"[dim]checkpoint[/]  {in_terminal(found)}")
    elif there:
        names = [str(place.relative_to(beside)) for place in there]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        told = ", ".join(names[:_MOST_NAMES]) + more
        what = f"no training in this folder is of this recipe; there are {told}."
        hint = f"Name the recipe.yaml of one of them, or train this one: {fitted} would hold it."
        raise RequestError(Problem(str(beside), what, hint))
    return found or fitted
