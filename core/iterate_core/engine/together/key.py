"""Which recipes' heads may train as one computation. Imports no torch, opens no dataset."""

from __future__ import annotations

from iterate_core.data.target import target_class
from iterate_core.engine.resolved import decisive, weights_of
from iterate_core.fingerprint import fingerprint
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.marks import PerHead, PerTraining


def together_key(recipe: Recipe, task: str) -> str | None:
    """Equal for recipes on one dataset whose heads train as one; None of one that trains alone.

    They are equal in all that decides features, model, loss and steps, and differ in seed and in
    what is marked `PerHead`. What shows only once they are built (whether features are kept,
    whether the decoder's layers are known) may yet part them.

    Args:
        recipe: Complete.
        task: Of its dataset.

    Raises:
        RequestError: See `iterate_core.engine.resolved.weights_of`.
    """
    if not (_decodes_vectors(recipe, task) and _steps_apart(recipe)):
        return None
    drawn = weights_of(recipe) in ("", "none")
    return fingerprint(
        {
            "recipe": decisive(recipe, PerTraining, PerHead),
            "seed": recipe.seed if drawn else None,  # a network without weights of its own
            "threads": recipe.trainer.threads,
        }
    )


def _decodes_vectors(recipe: Recipe, task: str) -> bool:
    """Whether a head alone trains, on vectors that stay the same."""
    maps = registries.decoders.get(recipe.model.decoder.name).facts.get("maps")
    constant = recipe.tuning.constant and not recipe.augmentation.members
    return constant and not maps and "vector" in target_class(task).takes


def _steps_apart(recipe: Recipe) -> bool:
    """Whether what several take as one step can be told apart."""
    trainer, data = recipe.trainer, recipe.data
    decoder = registries.decoders.get(recipe.model.decoder.name)
    optimiser = registries.optimisers.get(recipe.optimiser.name)
    # Samples that are drawn anew for each seed may differ in number.
    whole = data.share is None and data.shots is None
    in_parts = trainer.accumulate > 1 or trainer.micro_batch is not None
    averaged = trainer.ema is not None or trainer.swa is not None
    exact = trainer.precision == "32-true" and not trainer.compile
    known = "elementwise" in optimiser.facts and not decoder.facts.get("fitted")
    return known and whole and exact and not in_parts and not averaged
