"""Folders that are laid out as the training data were: scenes by the recipe's own patterns."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from iterate_core.data.folders.grouping import check_names, grouped, sample_of
from iterate_core.data.folders.options import GeotiffFolderData, ModalityData
from iterate_core.data.folders.patterns import Pattern
from iterate_core.data.folders.samples import FolderSample
from iterate_core.data.options import DataSection
from iterate_core.engine.description import ModelDescription
from iterate_core.errors import DataError
from iterate_core.inference.scenes.base import SceneFile, SceneRequest
from iterate_core.recipe import Recipe

_log = logging.getLogger(__name__)


def scenes_in_folder(
    folder: Path, description: ModelDescription, *, needed: bool
) -> list[SceneRequest]:
    """The scenes of a folder by the recipe's patterns of images; labels are not looked for.

    Args:
        folder: Laid out as the training data's.
        description: Of the model.
        needed: Whether the folder can be read in no other way.

    Returns:
        None where the recipe has no such patterns, or no file matches them.

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
        SceneRequest(sample.name, f"{folder}, scene {sample.name}", _files(sample, kinds))
        for sample in samples
    ]


def _section(description: ModelDescription) -> GeotiffFolderData | None:
    """The recipe's section, of which files without partner do not stop others."""
    data: DataSection = Recipe.parse(description.recipe).data
    if not isinstance(data, GeotiffFolderData):
        return None
    return data.model_copy(update={"incomplete": "skip"})


def _files(
    sample: FolderSample, kinds: Sequence[tuple[str, ModalityData]]
) -> tuple[SceneFile, ...]:
    days = sample.days or ((),) * len(sample.images)
    return tuple(
        SceneFile(
            str(path),
            date=_date(told, number),
            frame=number if len(paths) > 1 else None,
            kind=kind or None,
            bands=option.band_names,
            unit=option.unit,
        )
        for (kind, option), paths, told in zip(kinds, sample.images, days, strict=True)
        for number, path in enumerate(paths)
    )


def _date(days: Sequence[str], number: int) -> str | None:
    return (days[number] or None) if number < len(days) else None
