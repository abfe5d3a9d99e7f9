"""What a recipe must be for a decoder that is fitted rather than trained. Imports no torch.

A decoder says so by ``facts={"fitted": True}`` in its registry entry. It sees all training features
once, so one epoch of the samples as they are is all there is.
"""

from __future__ import annotations

from iterate_core.data.augmentation.options import AugmentationSection
from iterate_core.data.dataset import DatasetInfo
from iterate_core.data.selection import selected_count
from iterate_core.errors import Problem
from iterate_core.models.decoders.probes.options import KnnOptions, LogisticOptions
from iterate_core.recipe import Recipe
from iterate_core.registry import registries


def fits(recipe: Recipe) -> bool:
    """Whether the recipe's decoder is fitted."""
    name = recipe.model.decoder.name
    return bool(registries.decoders.get(name, "model.decoder.name").facts.get("fitted"))


def fitting_problems(recipe: Recipe, info: DatasetInfo) -> list[Problem]:
    """What keeps the recipe's decoder from being fitted, if it is one that is."""
    if not fits(recipe):
        return []
    decoder, problems = recipe.model.decoder, []
    if not recipe.tuning.constant:
        what = f"decoder {decoder.name!r} is fitted to features that must not change, "
        what += f"and tuning {recipe.tuning.name!r} changes them."
        problems.append(Problem("tuning", what, "Choose frozen with this decoder."))
    if recipe.objective.split == "train":
        what = f"decoder {decoder.name!r} cannot be judged by what it was fitted to."
        problems.append(Problem("objective.split", what, "Say val or leave it out."))
    samples = selected_count(recipe.data, info)
    if isinstance(decoder, KnnOptions) and decoder.k > samples:
        what = f"k is {decoder.k}, and there are {samples} training samples."
        problems.append(Problem("model.decoder.k", what, "Lower it."))
    return problems


def as_fitted(recipe: Recipe) -> Recipe:
    """The recipe with one epoch of all samples, unchanged, if its decoder is fitted.

    Of a few samples a class, the labels of the validation split would be by far the most: with
    `data.shots` they are not merged with those.
    """
    if not fits(recipe):
        return recipe
    unchanged = AugmentationSection(flip=False, rotate=False)
    trainer = recipe.trainer.model_copy(update={"epochs": 1})
    model, decoder = recipe.model, recipe.model.decoder
    if recipe.data.shots is not None and isinstance(decoder, LogisticOptions):
        alone = decoder.model_copy(update={"merge_val": False})
        model = model.model_copy(update={"decoder": alone})
    data = recipe.data.model_copy(update={"epoch_samples": None})
    told = {"augmentation": unchanged, "trainer": trainer, "model": model, "data": data}
    return recipe.model_copy(update=told)
