"""``iterate test recipe.yaml``: test what ``iterate fit`` trained."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from iterate.cli.class_table import class_table
from iterate.cli.console import print_json, say
from iterate.cli.fit import AsJson, Out, Overrides, RecipeFile, recipe_and_folder
from iterate.core.data.dataset import Split
from iterate.core.errors import Problem, RequestError


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

    from iterate.core.fit import evaluate

    found = evaluate(recipe, folder, split)
    table = Table(box=None, header_style="bold")
    table.add_column("metric")
    table.add_column("value", justify="right")
    objective = f"{split}/{recipe.objective.metric}"
    # The objective first; the others as the task declares them.
    for name, value in sorted(found.metrics.items(), key=lambda item: item[0] != objective):
        table.add_row(name, f"{value:.4f}")
    say(table)
    told = found.to_mapping()
    if "classes" in told:
        say(class_table(told["classes"], split))
    if json:
        print_json(told)
