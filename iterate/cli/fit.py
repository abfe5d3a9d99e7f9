"""``iterate fit recipe.yaml``: train one recipe."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iterate.cli.views.console import print_json, say
from iterate_core.escaping import in_terminal

if TYPE_CHECKING:
    from iterate_core.engine.reports import EpochReport
    from iterate_core.engine.resolved import Prepared
    from iterate_core.recipe import Recipe

RecipeFile = Annotated[Path, typer.Argument(help="A recipe, such as a run's recipe.yaml.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Hydra overrides, such as trainer.epochs=50.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for checkpoints; default runs/fit/NAME-FINGERPRINT."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON to standard output.")]


def fit(
    file: RecipeFile,
    overrides: Overrides = None,
    out: Out = None,
    lr_range_test: Annotated[
        bool,
        typer.Option(
            "--lr-range-test",
            help="Train some steps at ever higher learning rates, and say at which the loss falls: "
            "no folder is made or changed.",
        ),
    ] = False,
    lr_range: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Of that test: the lowest and the highest rate; default 1e-7 1."),
    ] = None,
    lr_steps: Annotated[
        int | None, typer.Option(help="Of that test: how many steps; default 100.", min=20)
    ] = None,
    json: AsJson = False,
) -> None:
    """Train one recipe; the same command continues a stopped training.

    `iterate test` with the same recipe then tests the checkpoint that was best on validation.
    """
    _refuse_idle(lr_range_test, out, lr_range, lr_steps)
    prepared, folder = recipe_and_folder(file, overrides or [], out)
    recipe = prepared.recipe
    if lr_range_test:
        _test_rates(prepared, lr_range or (1e-7, 1.0), lr_steps or 100, json)
        return

    from iterate.run.folders import claim_folder, undone_if_refused
    from iterate_core.engine.fit import fit as train
    from iterate_core.engine.learning.idle import idle_notes
    from iterate_core.heap import expect_garbage, keep_freed_memory
    from iterate_core.tasks.metrics import as_json

    for note in idle_notes(prepared):
        say(f"[italic]{note}[/]")
    expect_garbage()
    keep_freed_memory()
    with undone_if_refused(folder):
        claim_folder(folder)
        recipe.write(folder / "recipe.yaml")
        result = train(prepared, folder, on_epoch=lambda report: say(_line(recipe, report)))
    say(
        f"[bold]best[/]  {recipe.objective.key} {result.value:.4f} at epoch {result.epoch}, "
        f"trained in {result.seconds:.1f} s; checkpoint in {in_terminal(folder)}"
    )
    if json:
        print_json(
            {
                "folder": str(folder),
                "objective": recipe.objective.key,
                "best": result.value,
                "best_epoch": result.epoch,
                "seconds": result.seconds,
                "threads": recipe.trainer.threads,
                "epochs": [as_json(report.metrics) for report in result.reports],
            }
        )


def _refuse_idle(
    tests_rates: bool, out: Path | None, lr_range: tuple[float, float] | None, lr_steps: int | None
) -> None:
    """Refuse options that would do nothing.

    Raises:
        RequestError: One would.
    """
    from iterate_core.errors import Problem, RequestError

    if tests_rates and out is not None:
        what = "is the folder of a training, and --lr-range-test keeps nothing. Leave it out."
        raise RequestError(Problem("--out", what))
    for option, given in (("--lr-range", lr_range), ("--lr-steps", lr_steps)):
        if not tests_rates and given is not None:
            what = "is of --lr-range-test: say that too, or leave it out."
            raise RequestError(Problem(option, what))


def _test_rates(prepared: Prepared, between: tuple[float, float], steps: int, json: bool) -> None:
    from iterate.cli.views.rates import advice, as_mapping, rates_table
    from iterate_core.engine.learning.range_test import range_test
    from iterate_core.errors import Problem, RequestError

    lowest, highest = between
    if not 0 < lowest < highest < math.inf:
        what = f"must be two rates above 0, the lower one first, but got {lowest:g} {highest:g}."
        raise RequestError(Problem("--lr-range", what))
    found = range_test(prepared, lowest, highest, steps)
    if json:
        print_json(as_mapping(found))
        return
    say(rates_table(found))
    say(advice(found))


def recipe_and_folder(file: Path, overrides: list[str], out: Path | None) -> tuple[Prepared, Path]:
    """The recipe of a file with its data, and the folder in which it is trained; makes no folder.

    Raises:
        RequestError: The recipe is wrong.
    """
    from iterate.config.load import load_recipe
    from iterate_core.engine.resolved import prepare

    prepared = prepare(load_recipe(file, overrides))
    name = file.stem if file.stem != "recipe" else file.resolve().parent.name
    folder = out if out is not None else Path("runs/fit") / f"{name}-{prepared.identity[:8]}"
    recipe = _with_its_threads(prepared.recipe, folder / "recipe.yaml")
    return replace(prepared, recipe=recipe), folder


def _with_its_threads(recipe: Recipe, before: Path) -> Recipe:
    """The recipe with as many threads as it began with in its folder, or else as PyTorch takes.

    They are written down, because a CPU's last digits depend on them.
    """
    from iterate.config.load import load_recipe
    from iterate_core.device import threads
    from iterate_core.engine.resolved import decisive
    from iterate_core.errors import IterateError

    with suppress(IterateError):  # absent or damaged: it is about to be written anew
        earlier = load_recipe(before, [])
        if earlier.trainer.threads is not None:
            same = recipe.with_threads(earlier.trainer.threads)
            if decisive(same) == decisive(earlier):
                return same
    return recipe.with_threads(threads())


def _line(recipe: Recipe, report: EpochReport) -> str:
    loss = report.metrics.get("train/loss")
    shown = "" if loss is None else f"  train/loss {loss:.4f}"
    return (
        f"epoch {report.epoch:3d}/{recipe.trainer.epochs}{shown}  "
        f"{recipe.objective.key} {report.value:.4f}  best {report.best:.4f}  {report.seconds:.1f} s"
    )
