"""Folders that are laid out as the training data were: scenes by the recipe's own patterns."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from iterate_core.data.folders.grouping import check_names, grouped, sample_of
from iterate_core.data.folders.options import GeotiffFolderData, ModalityData
from iterate_core.data.folders.patterns import Pattern
from iterate_core.data.folders.samples import FolderSample
from iterate_core.data.options import DataSection
from iterate_core.engine.description import ModelDescription
from iterate_core.errors import DataError
from iterate_core.inference.scenes.base import SceneFile, SceneOptions, SceneRequest
from iterate_core.recipe import Recipe

_log = logging.getLogger(__name__)


def scenes_in_folder(
    folder: Path, description: ModelDescription, said: SceneOptions, *, needed: bool
) -> list[SceneRequest]:
    """The scenes of a folder by the recipe's patterns of images; labels are not looked for.

    Args:
        folder: Laid out as the training data's.
        description: Of the model.
        said: By a person, which counts before what the recipe says.
        needed: Whether the folder can be read in no other way.

    Returns:
        None of them where the recipe has no such patterns, or no file matches them.

    Raises:
        DataError: No file matches, where that is needed.
    """
    section = _section(description)
    if section is None:
        return []
    options = section.modality_options
    images = [Pattern(option.images, where) for where, option in options]
    try:
        found, notes = grouped(folder, images, section)
    except DataError:
        if needed:
            raise
        return []
    for note in notes:
        _log.warning("%s: %s", folder, note)
    samples = [sample_of(folder, groups, section.frames) for groups in found]
    check_names(samples, folder)
    kinds = list(zip(section.modality_names, (option for _, option in options), strict=True))
    return [
        SceneRequest(sample.name, f"{folder}, scene {sample.name}", _files(sample, kinds, said))
        for sample in samples
    ]


def _section(description: ModelDescription) -> GeotiffFolderData | None:
    """The recipe's section, of which files without partner do not stop others."""
    data: DataSection = Recipe.parse(description.recipe).data
    if not isinstance(data, GeotiffFolderData):
        return None
    return data.model_copy(update={"incomplete": "skip"})


def _files(
    sample: FolderSample, kinds: Sequence[tuple[str, ModalityData]], said: SceneOptions
) -> tuple[SceneFile, ...]:
    days = sample.days or ((),) * len(sample.images)
    dates = max(map(len, sample.images))
    found: list[SceneFile] = []
    for (kind, option), paths, told in zip(kinds, sample.images, days, strict=True):
        bands = said.bands or option.band_names
        unit = option.unit if said.unit is None else said.unit
        for number, path in enumerate(paths):
            file = SceneFile(str(path), kind=kind or None, bands=bands, unit=unit)
            if len(paths) == dates:
                file = replace(file, date=_date(told, number), frame=number)
            found.append(file)
    return tuple(found)


def _date(days: Sequence[str], number: int) -> str | None:
    return (days[number] or None) if number < len(days) else None
