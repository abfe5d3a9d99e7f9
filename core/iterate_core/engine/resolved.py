"""A recipe with its dataset opened: what fitting, testing and checking start from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from iterate_core.data.bands import with_units
from iterate_core.data.dataset import Band, DatasetInfo, Reader
from iterate_core.data.open import content_of, open_dataset, reader_code
from iterate_core.data.options import DataSection
from iterate_core.data.store.pack import Pack, cache_folder, pack
from iterate_core.engine.complete import completed, declaration_of, matching_of
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import canonical
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.models.backbones.matching import Matching
from iterate_core.models.backbones.options import WHERE as WEIGHTS
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.models.inputs import Inputs
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.tasks.declarations import TaskDeclaration

REOPEN_SECONDS = 60.0
"""How long a process relies on what it saw of a dataset's files."""

_NOT_THE_READERS = (
    *("units", "batch_size", "eval_batch_size", "image_size", "normalisation", "workers"),
)
_opened: dict[str, tuple[float, Reader, str]] = {}


@dataclass(frozen=True)
class Prepared:
    """A complete recipe and its data.

    Attributes:
        recipe: The recipe, complete.
        pack: The dataset's chosen bands.
        data: The dataset's fingerprint.
        weights: Fixes the backbone's weights by content.
    """

    recipe: Recipe
    pack: Pack
    data: str
    weights: str

    @property
    def info(self) -> DatasetInfo:
        """The dataset's declaration."""
        return self.pack.info

    @cached_property
    def matching(self) -> Matching:
        """Which of the dataset's chosen bands goes to which channel of the model."""
        return matching_of(self.recipe, self.pack.bands)

    @cached_property
    def stated(self) -> tuple[Band, ...]:
        """The dataset's chosen bands, with the units that the recipe states."""
        return with_units(self.pack.bands, self.recipe.data.units or {}, "data.units")

    @property
    def routes(self) -> list[tuple[str, str] | None]:
        """Band and unit that fill each channel of the model; None for zeros."""
        sources = [match.source for match in self.matching.matches]
        return [
            None if index is None else (self.stated[index].name, self.stated[index].unit)
            for index in sources
        ]

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands the model takes, in order."""
        return self.matching.bands

    @property
    def task(self) -> TaskDeclaration:
        """The task's declaration."""
        return declaration_of(self.info.task)

    @property
    def maps(self) -> bool:
        """Whether feature maps are wanted: by the task, or by the decoder."""
        decoder = registries.decoders.get(self.recipe.model.decoder.name, "model.decoder.name")
        return self.task.dense or bool(decoder.facts.get("maps"))

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
    def identity(self) -> str:
        """Fixed by what decides the results: the recipe, and its data and weights by content.

        Threads decide no more than last digits, so a run may go on with another number of them.
        """
        backbone = self.recipe.model.backbone
        if isinstance(backbone, BackboneOptions):
            backbone = backbone.model_copy(update={"weights": self.weights})
        model = self.recipe.model.model_copy(update={"backbone": backbone})
        data = self.recipe.data.model_copy(update={"workers": 0})
        trainer = self.recipe.trainer.model_copy(update={"threads": None})
        decisive = self.recipe.model_copy(update={"model": model, "data": data, "trainer": trainer})
        return decisive.fingerprint(self.data + own_code(self.recipe))


def prepare(recipe: Recipe) -> Prepared:
    """Open a recipe's dataset and complete the recipe by it; no pixel is read yet.

    Raises:
        RequestError: Everything that `iterate_core.engine.complete.complete` finds.
    """
    reader, fingerprint = _open(recipe.data)
    recipe = completed(recipe, reader.info)
    packed = pack(reader, recipe.data.bands, cache_folder(), fingerprint=fingerprint)
    return Prepared(recipe, packed, fingerprint, weights_of(recipe))


def _open(section: DataSection) -> tuple[Reader, str]:
    """The dataset's reader and fingerprint, kept for a while between recipes.

    Looking at every file of a large dataset takes longer than a short trial. What is trained on is
    the packed copy of the content that the fingerprint names, so a late look cannot mix them up.
    """
    options = section.model_dump(mode="json", exclude=set(_NOT_THE_READERS))
    key = canonical([options, reader_code(section)])
    opened = _opened.get(key)
    if opened is None or time.monotonic() - opened[0] > REOPEN_SECONDS:
        reader = open_dataset(section)
        opened = _opened[key] = (time.monotonic(), reader, content_of(section, reader))
    return opened[1], opened[2]


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


def own_code(recipe: Recipe) -> str:
    """Fixes the code of the user's own backbone, decoder and tuning; empty where they are ours."""
    chosen = (
        (registries.backbones, recipe.model.backbone),
        (registries.decoders, recipe.model.decoder),
        (registries.tunings, recipe.tuning),
    )
    return "".join(registry.get(part.name).facts.get("code", "") for registry, part in chosen)
