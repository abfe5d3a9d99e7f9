"""A recipe whose training data are away: what its model is built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from iterate_core.data.dataset import DatasetInfo, Sample, Split
from iterate_core.data.open import Opened
from iterate_core.data.store.pack import Pack
from iterate_core.engine.description import ModelDescription
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import Problem, RequestError
from iterate_core.recipe import Recipe

_WHOLE = {"name": "full"}  # a way to tune that adds nothing to a backbone


@dataclass(frozen=True)
class Described(Prepared):
    """A recipe and what its model's description tells of its data."""

    @property
    def pack(self) -> Pack:
        """Not there.

        Raises:
            RequestError: Always.
        """
        _away(self.info)


class _Away:
    """The reader of a dataset that is not at hand."""

    def __init__(self, info: DatasetInfo) -> None:
        self.info = info

    def names(self, split: Split) -> Sequence[str]:
        del split
        _away(self.info)

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        del name, bands
        _away(self.info)

    def fingerprint(self) -> str:
        _away(self.info)


def _away(info: DatasetInfo) -> NoReturn:
    what = "these data are not at hand: the model alone is."
    raise RequestError(Problem(info.name, what))


def described(description: ModelDescription, window: int | None = None) -> Described:
    """The recipe of a described model.

    Args:
        description: Of the model.
        window: Height and width of the images it is to be given, in pixels as stored; None: those
            of its training data.

    Raises:
        RequestError: A part of the recipe is not known here: the user's own, not registered.
    """
    mapping = {**description.recipe}
    info = description.info
    if description.merged:
        backbone = mapping["model"]["backbone"]
        if "weights" in backbone:
            backbone = {**backbone, "weights": "none", "sha256": None}
        mapping |= {"model": {**mapping["model"], "backbone": backbone}}
        if description.folded:
            mapping |= {"tuning": _WHOLE}
    if window is not None and (info.height, info.width) != (window, window):
        resized = mapping["data"].get("image_size")
        if resized:
            scaled = round(resized * window / info.height)
            mapping["data"] = {**mapping["data"], "image_size": scaled}
        info = replace(info, height=window, width=window)
    return Described(Recipe.parse(mapping), Opened(_Away(info), ""))
