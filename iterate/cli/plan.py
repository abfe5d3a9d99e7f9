"""``iterate plan search.yaml``: expand and check a study without training anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterate.cli.views.console import print_json, stderr

if TYPE_CHECKING:
    from iterate.config.load import LoadedStudy
    from iterate.hpo.shares import Share
    from iterate_core.engine.resolved import Prepared


def plan(
    file: Annotated[Path, typer.Argument(help="The search.yaml, or a recipe, to expand.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Hydra overrides, such as search.trials=32 model/decoder=mlp."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the plan as JSON to standard output.")
    ] = False,
) -> None:
    """Show what a search would do, and everything that is wrong with it, without training."""
    from iterate.config.load import load_study
    from iterate.config.studies import prepared_branches
    from iterate.hpo.shares import share_here
    from iterate_core.engine.reach import check_weights
    from iterate_core.secrets import without_passwords

    loaded = load_study(file, overrides or [])
    config = loaded.config
    share = share_here(config.ray, config.resources, config.trainer.accelerator)
    branches = [prepared for _, prepared in prepared_branches(loaded)]
    check_weights(prepared.recipe for prepared in branches)
    described = without_passwords(describe(loaded, branches[0], share))
    if json:
        print_json(described)
        return
    from iterate.cli.views.plan import view

    stderr().print(view(described, loaded.space))


def described_data(base: Prepared) -> dict[str, Any]:
    """The recipe's dataset as plain JSON types: what its files say before any is trained on."""
    from iterate_core.engine.learning.idle import idle_notes

    info = base.info
    return {
        "name": info.name,
        "task": info.task,
        "classes": list(info.classes),
        "samples": dict(info.sizes),
        "bands": [{"name": band.name, "unit": band.unit} for band in base.stated],
        "pixels": [info.height, info.width],
        "frames": info.frames,
        "metres": info.metres,
        "finer": info.finer,
        "crs": info.crs,
        "notes": [*info.notes, *idle_notes(base)],
    }


def describe(loaded: LoadedStudy, base: Prepared, share: Share | None) -> dict[str, Any]:
    """The plan as plain JSON types.

    Args:
        loaded: The search file.
        base: The recipe at its base point, with its data.
        share: What a trial holds; None where that depends on a cluster.
    """
    from iterate.hpo.points import trials_to_make

    config = loaded.config.model_dump(mode="json")
    held = {} if share is None or share.divides else {"gpu": share.gpu}
    search = config["search"]
    search["trials"] = trials_to_make(loaded.config.search, loaded.space)
    return {
        "name": config["name"],
        "note": config["note"],
        "source": str(loaded.source),
        "recipe": base.recipe.to_mapping(),
        "data": described_data(base),
        "channels": base.matching.described(base.chosen),
        "space": loaded.space.to_mapping(),
        "points": loaded.space.size(),
        "base": loaded.base,
        "search": search,
        "resources": config["resources"] | held | _grouped(loaded, base),
        "ray": config["ray"],
        "tracking": config["tracking"],
        "environment": {key: list(names) for key, names in loaded.environment().items()},
    }


def _grouped(loaded: LoadedStudy, base: Prepared) -> dict[str, int]:
    """How many trials at most train as one, where the sampler decides that and they can."""
    from iterate.hpo.settings import samplers
    from iterate_core.engine.together.key import together_key

    config = loaded.config
    if config.resources.together or together_key(base.recipe, base.info.task) is None:
        return {}
    most = samplers.get(config.search.sampler.name).facts.get("together", 1)
    return {"together": most} if most > 1 else {}
