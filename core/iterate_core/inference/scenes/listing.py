"""The scenes that files, folders, patterns, URLs and tables stand for."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from iterate_core.data.folders.options import LEGAL_UNITS
from iterate_core.engine.description import ModelDescription
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.inference.scenes.addresses import SUFFIXES, parent, scheme_of, shown, stem
from iterate_core.inference.scenes.base import SceneFile, SceneOptions, SceneRequest, Units
from iterate_core.inference.scenes.recipe_folder import scenes_in_folder
from iterate_core.inference.scenes.table import scenes_of_table
from iterate_core.inference.scenes.when import check_date, series_of
from iterate_core.plurals import counted
from iterate_core.storage.names import file_name


def scenes_of(
    files: Sequence[str | Path], description: ModelDescription, options: SceneOptions | None = None
) -> list[SceneRequest]:
    """The scenes that are asked for, none of them looked at.

    Args:
        files: Paths, folders, patterns such as ``tiles/*.tif``, URLs, or STAC items.
        description: Of the model.
        options: What is said of them.

    Raises:
        RequestError: The options contradict the model or themselves, or nothing is found.
    """
    said = options or SceneOptions()
    check(said, description)
    if said.table is not None:
        if files:
            what = "names the files itself: give it alone, without other files."
            raise RequestError(Problem("--scenes", what))
        found = scenes_of_table(said.table)
    else:
        found = _listed([str(file) for file in files], description, said)
    return _uniquely([_with(scene, said) for scene in found])


def check(options: SceneOptions, description: ModelDescription) -> None:
    """Refuse options that no scene could be read with.

    Raises:
        RequestError: There are any; all are named.
    """
    problems: list[Problem] = []
    names = options.bands or ()
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        problems.append(Problem("--bands", f"names {twice[0]!r} twice."))
    problems += _unit_problems(options.unit)
    for text in options.dates or ():
        try:
            check_date(text, "--dates")
        except RequestError as error:
            problems += error.problems
    frames = description.info.frames
    if options.dates is not None and len(options.dates) != frames:
        what = f"names {counted(len(options.dates), 'date')}; the model takes {frames}."
        problems.append(Problem("--dates", what))
    if problems:
        raise RequestError(problems)


def _unit_problems(units: Units | None) -> list[Problem]:
    """Words that are no units; which bands there are, files tell later."""
    said = [] if units is None else [units] if isinstance(units, str) else units.values()
    return [
        Problem(
            "--unit",
            f"there is no unit {unit!r}.",
            nearest(unit, LEGAL_UNITS) or f"Legal: {', '.join(LEGAL_UNITS)}.",
        )
        for unit in said
        if unit not in LEGAL_UNITS
    ]


def _listed(
    files: Sequence[str], description: ModelDescription, options: SceneOptions
) -> list[SceneRequest]:
    found = [scene for file in files for scene in _of(file, description, options)]
    if not found:
        what = "no file is named."
        raise RequestError(Problem("", what, "Name images, folders, URLs, or a table of scenes."))
    series = series_of(found, description.info.frames, options.dates)
    if series is not None:
        return [series]
    each: dict[tuple[str, ...], SceneRequest] = {}
    for scene in found:
        each.setdefault(tuple(_path(one.path) for one in scene.files), scene)
    return list(each.values())


def _of(file: str, description: ModelDescription, said: SceneOptions) -> list[SceneRequest]:
    """What one word of the command stands for."""
    if scheme_of(file) is not None:
        return [_single(file)]
    path = os.path.expanduser(file)
    if os.path.isdir(path):
        return _in_folder(Path(path), description, said)
    if glob.has_magic(path) and not os.path.exists(path):
        matched = sorted(found for found in glob.glob(path, recursive=True) if _is_one(found))
        if not matched:
            raise RequestError(Problem(file, "there is no such file."))
        return [_single(found) for found in matched]
    return [_single(path)]


def _path(path: str) -> str:
    """One text for all ways to write a path: a scene that is named twice is one."""
    return path if scheme_of(path) is not None else os.path.abspath(path)


def _is_one(path: str) -> bool:
    """Whether a scene is made of it; what cannot be read, such as a broken link, is told later."""
    return not os.path.isdir(path)


def _in_folder(
    folder: Path, description: ModelDescription, said: SceneOptions
) -> list[SceneRequest]:
    """As the recipe's own patterns say, else every raster in it."""
    try:
        inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise RequestError(Problem(str(folder), f"cannot be read ({error.strerror}).")) from None
    rasters = [path for path in inside if _is_one(str(path))]
    by_patterns = scenes_in_folder(folder, description, said, needed=not rasters)
    if by_patterns:
        return by_patterns
    if not rasters:
        what = f"holds no images: no file that ends in {', '.join(SUFFIXES)}."
        raise RequestError(Problem(str(folder), what))
    return [_single(str(path)) for path in rasters]


def _single(path: str) -> SceneRequest:
    return SceneRequest(file_name(stem(path)), shown(path), (SceneFile(path),))


def _with(scene: SceneRequest, options: SceneOptions) -> SceneRequest:
    """A scene with what the options say of files of which nothing nearer is said."""
    dates = options.dates
    return replace(
        scene,
        files=tuple(
            replace(
                file,
                bands=file.bands or options.bands,
                unit=options.unit if file.unit is None else file.unit,
                nodata=options.nodata if file.nodata is None else file.nodata,
                date=file.date or _date(dates, file),
            )
            for file in scene.files
        ),
    )


def _date(dates: tuple[str, ...] | None, file: SceneFile) -> Any:
    if dates is None:
        return None
    return dates[file.frame or 0]


def _uniquely(scenes: Sequence[SceneRequest]) -> list[SceneRequest]:
    """Scenes of one name get that of their folder before it, and if need be a number behind."""
    often = Counter(scene.name.casefold() for scene in scenes)
    named = []
    for scene in scenes:
        above = file_name(parent(scene.source)) if parent(scene.source) else ""
        longer = f"{above}-{scene.name}" if above else scene.name
        named.append(longer if often[scene.name.casefold()] > 1 else scene.name)
    taken: set[str] = set()
    found = []
    for scene, name in zip(scenes, named, strict=True):
        free, number = name, 1
        while free.casefold() in taken:
            number += 1
            free = f"{name}-{number}"
        taken.add(free.casefold())
        found.append(replace(scene, name=free))
    return found
