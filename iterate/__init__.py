"""iterate: the best fine-tuning recipe of a geospatial foundation model, with honest numbers.

What the commands do, from Python::

    from iterate import fit, load_recipe, load_study, search

    result = search(load_study("search.yaml"), out="runs/mine")
    fit(load_recipe("runs/mine/recipe.yaml"), out="runs/again")
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iterate.api import (
        PredictOptions,
        Recipe,
        SceneOptions,
        Study,
        export,
        fit,
        load_model,
        load_recipe,
        load_study,
        predict,
        register_augmentation,
        register_backbone,
        register_dataset,
        register_decoder,
        register_loss,
        register_neck,
        register_tuning,
        report,
        search,
    )

__version__ = version("geo-iterate")
__all__ = [
    "PredictOptions",
    "Recipe",
    "SceneOptions",
    "Study",
    "export",
    "fit",
    "load_model",
    "load_recipe",
    "load_study",
    "predict",
    "register_augmentation",
    "register_backbone",
    "register_dataset",
    "register_decoder",
    "register_loss",
    "register_neck",
    "register_tuning",
    "report",
    "search",
]


def __getattr__(name: str) -> Any:
    # Lazy, because the command line imports this package and must be quick.
    if name in __all__:
        from iterate import api

        return getattr(api, name)
    raise AttributeError(f"module 'iterate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
