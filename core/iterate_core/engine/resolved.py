"""A recipe with its dataset opened: what fitting, testing and checking start from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import iterate_core
from iterate_core.data.bands import resolve_bands, with_units
from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.data.open import Opened, open_dataset, reader_code
from iterate_core.data.options import DataSection
from iterate_core.data.selection import selected
from iterate_core.data.store.pack import Pack, cache_folder, pack
from iterate_core.data.target import Target, target_of
from iterate_core.engine.complete import complete, matching_of
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import canonical, fingerprint
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.models.backbones.matching import Matching
from iterate_core.models.backbones.options import WHERE as WEIGHTS
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.models.inputs import Inputs
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.marks import AfterReading, HowOnly, Mark, without
from iterate_core.registry.options import Members, Section
from iterate_core.registry.parsing import chosen_of

REOPEN_SECONDS = 60.0
"""How long a process relies on what it saw of a dataset's files."""

_opened: dict[str, tuple[float, Opened]] = {}


@dataclass(frozen=True)
class Prepared:
    """A complete recipe and its data.

    `prepare` makes it; a command makes one of each recipe, and hands it on. Files are looked at
    when `data`, `pack` or `weights` is first asked for.

    Attributes:
        recipe: The recipe, complete.
        dataset: Its dataset.
    """

    recipe: Recipe
    dataset: Opened

    @property
    def info(self) -> DatasetInfo:
        """The dataset's declaration."""
        return self.dataset.info

    @cached_property
    def target(self) -> Target:
        """What the dataset's samples are labelled with."""
        return target_of(self.info)

    @property
    def data(self) -> str:
        """The dataset's fingerprint."""
        return self.dataset.content

    @cached_property
    def pack(self) -> Pack:
        """The dataset's chosen bands."""
        bands = self.recipe.data.bands
        return pack(self.dataset.reader, bands, cache_folder(), fingerprint=self.data)

    @cached_property
    def weights(self) -> str:
        """Fixes the backbone's weights by content; see `weights_of`."""
        return weights_of(self.recipe)

    @cached_property
    def chosen(self) -> tuple[Band, ...]:
        """The dataset's bands that the recipe chooses."""
        return resolve_bands(self.recipe.data.bands, self.info.bands, "data.bands")

    @cached_property
    def matching(self) -> Matching:
        """Which of the dataset's chosen bands goes to which channel of the model."""
        return matching_of(self.recipe, self.chosen)

    @cached_property
    def stated(self) -> tuple[Band, ...]:
        """The dataset's chosen bands, with the units that the recipe states."""
        return with_units(self.chosen, self.recipe.data.units or {}, "data.units")

    @cached_property
    def training(self) -> npt.NDArray[np.int64]:
        """Indices of the training samples that the recipe trains on."""
        return selected(self.pack, self.recipe.data, self.recipe.seed)

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands the model takes, in order."""
        return self.matching.bands

    @property
    def maps(self) -> bool:
        """Whether feature maps are wanted: by the target, or by the decoder."""
        decoder = registries.decoders.get(self.recipe.model.decoder.name, "model.decoder.name")
        return self.target.dense or bool(decoder.facts.get("maps"))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images the model takes."""
        resized = self.recipe.data.image_size
        return (resized, resized) if resized else (self.info.height, self.info.width)

    @property
    def inputs(self) -> Inputs:
        """What the backbone is built for."""
        info, height = self.info, self.size[0]
        metres = None if info.metres is None else info.metres * info.height / height
        return Inputs(
            self.bands,
            self.size,
            self.maps,
            info.frames,
            metres,
            self.matching.modalities,
        )

    @cached_property
    def backbone_key(self) -> str:
        """Fixes the backbone and its weights: all that it is made from."""
        found = decisive(self.recipe)
        options = found["model"]["backbone"]
        # Random weights differ from seed to seed.
        drawn = self.weights in ("", "none") or options.get("extra") == "random"
        return canonical(
            {
                "options": options,
                "code": found.get("code", {}).get("model.backbone"),
                "seed": self.recipe.seed if drawn else None,
                "inputs": asdict(self.inputs),
                "merge": self.recipe.model.frames if self.info.frames > 1 else None,
            }
        )

    @cached_property
    def identity(self) -> str:
        """Names the run and its checkpoints: fixed by all that decides its results."""
        content = {
            "recipe": decisive(self.recipe),
            "data": self.data,
            "code": iterate_core.__version__,
        }
        return fingerprint(content)


def prepare(recipe: Recipe) -> Prepared:
    """Open a recipe's dataset and complete the recipe by it; no pixel is read yet.

    Raises:
        RequestError: Everything that `iterate_core.engine.complete.complete` finds.
        DataError: The dataset is absent or damaged.
    """
    dataset = _open(recipe.data)
    return Prepared(complete(recipe, dataset.info), dataset)


def _open(section: DataSection) -> Opened:
    """The dataset, kept for a while: branches of a search share it, and trials of a warm worker.

    Looking at every file of a large dataset takes longer than a short trial. What is trained on is
    the packed copy of the content that the fingerprint names, so a late look cannot mix them up.
    """
    code = reader_code(section)
    key = canonical([without(section, AfterReading), code])
    opened = _opened.get(key)
    if opened is None or time.monotonic() - opened[0] > REOPEN_SECONDS:
        opened = _opened[key] = (time.monotonic(), Opened(open_dataset(section), code))
    return opened[1]


def decisive(recipe: Recipe, *less: Mark) -> dict[str, Any]:
    """What of a recipe decides its results, as plain JSON types; weights and code by content.

    Args:
        recipe: Complete.
        less: Marks of further fields to leave out, beside `HowOnly`.

    Raises:
        RequestError: See `weights_of`.
    """
    found = without(recipe, HowOnly, *less)
    if weights := weights_of(recipe):
        found["model"]["backbone"]["weights"] = weights
    code = dict(own_code(recipe, less))
    return found | {"code": code} if code else found


def weights_of(recipe: Recipe) -> str:
    """What fixes the backbone's weights; a backbone that does not say is fixed by its options.

    Raises:
        RequestError: The weights' file is absent, or not the one it should be.
    """
    options = recipe.model.backbone
    if not isinstance(options, BackboneOptions):
        return ""
    card = card_of(options.name)
    published = None if card is None else card.file
    if options.weights == "hub" and published is not None:
        return f"{published}@{published.sha256 or published.revision or 'main'}"
    content = options.content()
    if options.file is not None:
        _check_digest(options, options.file, content, published)
    return content


def _check_digest(
    options: BackboneOptions, path: Path, content: str, published: HubFile | None
) -> None:
    """Refuse a file that should have another SHA-256: one stated, or that of the published file."""
    wanted: str | None = options.sha256
    source, hint = "model.backbone.sha256 states", ""
    if wanted is None and published is not None and path.name == Path(published.filename).name:
        wanted, source = published.sha256, f"{published} has"
        hint = "Fetch it again; or give weights of your own another name."
    if wanted is not None and content != wanted.lower():
        what = f"{path} has the SHA-256 {content}, where {source} {wanted}."
        raise RequestError(Problem(WEIGHTS, what, hint or None))


def own_code(
    section: Section, less: tuple[Mark, ...] = (), path: str = ""
) -> Iterator[tuple[str, str]]:
    """Where a section chooses a component of the user's own, and what fixes that one's code.

    Args:
        section: All of it counts but the fields that bear one of the marks in `less`.
        less: Marks.
        path: Of the section.
    """
    for name, field in type(section).model_fields.items():
        if any(mark in field.metadata for mark in less):
            continue
        chosen = chosen_of(field)
        part, where = getattr(section, name), f"{path}.{name}".strip(".")
        if chosen is not None and (code := chosen.registry.get(part.name).facts.get("code")):
            yield where, code
        if isinstance(part, Section):
            yield from own_code(part, less, where)
    if isinstance(section, Members):
        for name in section.members:
            if code := section.registry.get(name).facts.get("code"):
                yield f"{path}.{name}", code
