"""``iterate test recipe.yaml``: test what ``iterate fit`` trained."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from iterate.cli.console import print_json, say
from iterate.cli.fit import AsJson, Out, Overrides, RecipeFile, recipe_and_folder
from iterate.core.data.dataset import Split
from iterate.core.errors import Problem, RequestError
from iterate.core.foreign import in_terminal


def test(
    file: RecipeFile,
    overrides: Overrides = None,
    out: Out = None,
    split: Annotated[Split, typer.Option(help="The split to evaluate.")] = "test",
    json: AsJson = False,
) -> None:
    """Evaluate the checkpoint that was best on validation."""
    recipe, folder = recipe_and_folder(file, overrides or [], out)
    if not (folder / "best.safetensors").exists():
        what = f"holds no checkpoint of this recipe ({recipe.model.backbone.name})."
        raise RequestError(Problem(str(folder), what, f"Train it first: iterate fit {file}"))

    from iterate.core.fit import test as evaluate

    metrics = evaluate(recipe, folder, split)
    table = Table(box=None, header_style="bold")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(in_terminal(name), f"{value:.4f}")
    say(table)
    if json:
        print_json(metrics)
