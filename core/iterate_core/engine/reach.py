"""Whether published weights can be had, told without torch and without fetching them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iterate_core.errors import Problem, RequestError
from iterate_core.hub.files import check_reach
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.models.backbones.options import WHERE, BackboneOptions
from iterate_core.models.backbones.timm.names import PREFIX, architecture, timm_names
from iterate_core.recipe import Recipe


def check_weights(recipes: Iterable[Recipe]) -> None:
    """Look for the weights of every backbone, on this machine and then on the hub.

    Raises:
        RequestError: Some are on neither.
    """
    problems: list[Problem] = []
    for options in _published(recipes):
        card = card_of(options.name)
        try:
            if card is not None and card.file is not None:
                check_reach(card.file)
            elif card is None and architecture(options.name) in timm_names():
                _check_timm(options.name)
        except RequestError as error:
            problems += error.problems
    if problems:
        raise RequestError(problems)


def _published(recipes: Iterable[Recipe]) -> list[BackboneOptions]:
    """Each backbone whose weights come from the hub, once."""
    found = [recipe.model.backbone for recipe in recipes]
    wanted = [o for o in found if isinstance(o, BackboneOptions) and o.weights == "hub"]
    return list({options.name: options for options in wanted}.values())


def _check_timm(name: str) -> None:
    """Timm fetches by its own means: into the Hugging Face cache, from the hub."""
    from huggingface_hub import constants

    from iterate_core.models.backbones.timm.reachability import reachable

    model = name.removeprefix(PREFIX)
    kept = f"models--timm--{model}" + ("" if "." in model else ".*")
    if any(Path(constants.HF_HUB_CACHE).glob(kept)):
        return
    if constants.HF_HUB_OFFLINE:
        reason = "HF_HUB_OFFLINE is set"
    elif not reachable():
        reason = f"{constants.ENDPOINT} cannot be reached"
    else:
        return
    what = f"the weights of {model!r} are not on this machine, and {reason}."
    hint = "Name a file of weights, or 'none' for random ones."
    raise RequestError(Problem(WHERE, what, hint))
