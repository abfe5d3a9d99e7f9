"""Is a recipe complete and possible, as far as its dataset's declaration tells? Needs no torch."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from iterate_core.data.bands import resolve_bands, with_units
from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.data.selection import selection_problems
from iterate_core.data.target import target_class, target_of
from iterate_core.engine.probing import as_fitted, fitting_problems
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.losses.options import LossOptions
from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.models.backbones.matching import Matching, match_bands
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.models.options import ModelSection
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.registry import Registry
from iterate_core.tasks.declarations import TaskDeclaration


def complete(recipe: Recipe, info: DatasetInfo) -> Recipe:
    """Fill in what the dataset decides: its bands by their own names, loss and objective.

    A decoder that is fitted leaves one epoch without augmentation;
    see `iterate_core.engine.probing`.

    Args:
        recipe: As it was written.
        info: The dataset's declaration.

    Raises:
        RequestError: With everything found wrong: bands, metric, direction, a component that does
            not serve the task, a loss's classes, what serves several dates where there is one, or
            weights or a library that are not there.
    """
    declaration_of(info.task)
    problems: list[Problem] = []
    bands = recipe.data.bands
    try:
        chosen = resolve_bands(bands, info.bands, "data.bands")
        bands = tuple(band.name for band in chosen)
        matching_of(recipe, chosen)
        problems += recipe.augmentation.problems(replace(info, bands=chosen))
    except RequestError as error:
        problems += error.problems
    loss = _completed_loss(recipe, info)
    wrong = [*_components(recipe, info), *_losses(loss, info)]
    problems += wrong or [*fitting_problems(recipe, info), *_of_maps(recipe, info)]
    problems += _of_dates(recipe, info)
    problems += [*_weights(recipe), *_library(recipe), *selection_problems(recipe.data, info)]
    metric, mode, wrong = _objective(recipe, info)
    problems += wrong
    if problems:
        raise RequestError(problems)
    data = recipe.data.model_copy(update={"bands": bands})
    objective = recipe.objective.model_copy(update={"metric": metric, "mode": mode})
    filled = {"data": data, "loss": loss, "objective": objective}
    return as_fitted(recipe.model_copy(update=filled))


def matching_of(recipe: Recipe, bands: tuple[Band, ...]) -> Matching:
    """Which of a dataset's chosen bands goes to which channel of the recipe's backbone.

    Raises:
        RequestError: They do not fit, or `data.units` is wrong.
    """
    options = recipe.model.backbone
    card = card_of(options.name, "model.backbone.name")
    stated = with_units(bands, recipe.data.units or {}, "data.units")
    return match_bands(card, stated, options)


def _components(recipe: Recipe, info: DatasetInfo) -> list[Problem]:
    kinds = (info.task, *target_class(info.task).takes)
    problems: list[Problem] = []
    for registry, chosen, where in (
        (registries.backbones, recipe.model.backbone, "model.backbone.name"),
        (registries.decoders, recipe.model.decoder, "model.decoder.name"),
        (registries.optimisers, recipe.optimiser, "optimiser.name"),
        (registries.schedulers, recipe.scheduler, "scheduler.name"),
    ):
        problems += _serving(registry, chosen.name, where, info.task, kinds)
    return problems


def _serving(
    registry: Registry, name: str, where: str, task: str, kinds: tuple[str, ...]
) -> list[Problem]:
    """A component that serves nothing of the kinds that a task has."""
    if registry.get(name, where).serves(kinds):
        return []
    serving = [known.name for known in registry if known.serves(kinds)]
    what = f"{registry.kind} {name!r} does not serve {task}."
    hint = f"These do: {', '.join(serving)}." if serving else "None does."
    return [Problem(where, what, hint)]


def _completed_loss(recipe: Recipe, info: DatasetInfo) -> LossOptions:
    """The recipe's loss, with the task's own in the place of ``default``."""
    own = declaration_of(info.task).loss
    options = None if own is None else registries.losses.get(own).load_options()(name=own)
    return recipe.loss.completed(options)


def _losses(loss: LossOptions, info: DatasetInfo) -> list[Problem]:
    """Losses, each part of a sum by itself, that are not for such targets or classes."""
    kinds = (info.task, target_class(info.task).form)
    problems: list[Problem] = []
    for where, options in loss.parts("loss"):
        wrong = _serving(registries.losses, options.name, f"{where}.name", info.task, kinds)
        problems += wrong or options.problems(info, where)
    return problems


def _of_maps(recipe: Recipe, info: DatasetInfo) -> list[Problem]:
    """What is chosen of feature maps where the decoder gets a vector."""
    decoder, neck = recipe.model.decoder, recipe.model.neck
    if target_of(info).dense or registries.decoders.get(decoder.name).facts.get("maps"):
        return []
    vector = f"but in {info.task} this decoder gets one vector an image."
    hint = "Leave it out, or choose attentive_pool."
    problems: list[Problem] = []
    if getattr(decoder, "level", None) is not None:
        what = f"chooses a feature map, {vector}"
        problems.append(Problem("model.decoder.level", what, hint))
    if not neck.idle:
        what = f"neck {neck.name!r} makes feature maps, {vector}"
        problems.append(Problem("model.neck.name", what, hint))
    return problems


def _of_dates(recipe: Recipe, info: DatasetInfo) -> list[Problem]:
    """A way to merge dates where there is but one."""
    chosen, default = recipe.model.frames, ModelSection.model_fields["frames"].default
    if info.frames > 1 or chosen == default:
        return []
    what = f"{chosen!r} says how several dates meet, and the samples here are of one date."
    return [Problem("model.frames", what, "Leave it out.")]


def _weights(recipe: Recipe) -> list[Problem]:
    options = recipe.model.backbone
    if not isinstance(options, BackboneOptions):
        return []
    where, hint = "model.backbone.weights", "Name a file, or 'hub', or 'none'."
    if options.file is not None and not options.file.is_file():
        return [Problem(where, f"there is no file {options.file}.", hint)]
    card = card_of(options.name)
    if options.weights == "hub" and card is not None and card.file is None:
        what = f"no weights of {options.name} are published."
        return [Problem(where, what, "Name a file, or 'none'.")]
    return _digest(options, card)


def _library(recipe: Recipe) -> list[Problem]:
    """What the way to fine-tune needs and is not installed; nothing is imported to know it."""
    needed = recipe.tuning.library
    if needed is None or find_spec(needed[0]) is not None:
        return []
    what = f"{recipe.tuning.name!r} needs the library {needed[0]}, which is not installed."
    return [Problem("tuning.name", what, f"pip install 'geo-iterate[{needed[1]}]'")]


def _digest(options: BackboneOptions, card: Card | None) -> list[Problem]:
    """A digest that is stated where no file is that could have it."""
    if options.sha256 is None or options.file is not None:
        return []
    published = card.file.sha256 if options.weights == "hub" and card and card.file else None
    if published == options.sha256.lower():
        return []
    what = "is that of a file, and model.backbone.weights names none."
    if published is not None:
        what = f"states {options.sha256}, but the published file of {options.name} has {published}."
    return [Problem("model.backbone.sha256", what, "Leave it out, or name the file.")]


def _objective(recipe: Recipe, info: DatasetInfo) -> tuple[str | None, str | None, list[Problem]]:
    """Metric and direction, and what is wrong with those asked for."""
    task = declaration_of(info.task)
    asked = recipe.objective
    metric = task.metric(asked.metric) if asked.metric is not None else task.primary
    if metric is None:
        names = [known.name for known in task.metrics]
        what = f"{info.task} does not produce a metric {asked.metric!r}."
        hint = nearest(str(asked.metric), names) or f"Legal here: {', '.join(names)}."
        return None, None, [Problem("objective.metric", what, hint)]
    if asked.split == "train" and not metric.trained:
        what = f"{metric.name} is not measured on training batches."
        return None, None, [Problem("objective.split", what, "Say val or leave it out.")]
    if asked.mode not in (None, metric.mode):
        what = f"{metric.name} is better when it is {_BETTER[metric.mode]}, but got {asked.mode!r}."
        return None, None, [Problem("objective.mode", what, f"Say {metric.mode} or leave it out.")]
    return metric.name, metric.mode, []


def declaration_of(task: str) -> TaskDeclaration:
    """A task's declaration.

    Raises:
        RequestError: This version does not know the dataset's task.
    """
    if task not in registries.tasks.names():
        what = f"the dataset's task is {task}, which no engine here trains."
        legal = f"Trained are {', '.join(registries.tasks.names())}."
        raise RequestError(Problem("data.name", what, legal))
    found: TaskDeclaration = registries.tasks.get(task).facts["declaration"]
    return found


_BETTER = {"max": "higher", "min": "lower"}
