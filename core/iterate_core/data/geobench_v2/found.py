"""Which dataset files are, by their names alone."""

from __future__ import annotations

from pathlib import Path

from iterate_core.data.geobench_v2.datasets.all import DATASETS
from iterate_core.data.geobench_v2.integrity import PART
from iterate_core.errors import DataError, Problem

_SUFFIX = ".tortilla"


def tortillas(path: Path) -> list[Path]:
    """The tortilla file that a path is, or those in a folder or in the folders within it."""
    if path.suffix == _SUFFIX and not path.is_dir():
        return [path]
    return sorted([*path.glob(f"*{_SUFFIX}"), *path.glob(f"*/*{_SUFFIX}")])


def dataset_of(path: Path, option: str) -> str:
    """The dataset of a tortilla file, or of the files of a folder.

    Of two that share their files, such as pastis and pastis_r, the first.

    Args:
        path: The file or folder; there is a tortilla.
        option: How the reader may choose, for messages.

    Raises:
        DataError: No file bears a dataset's name, or files of several datasets lie there.
    """
    files = tortillas(path)
    found = dict.fromkeys(name for file in files if (name := _named(file)) is not None)
    if len(found) == 1:
        return next(iter(found))
    if found:
        what = f"holds files of {len(found)} datasets: {', '.join(found)}."
        raise DataError(Problem(str(path), what, f"Choose one with {option}."))
    what = f"{files[0].name} does not say which dataset of GEO-Bench-2 it is."
    raise DataError(Problem(str(path), what, f"Say with {option}: {', '.join(DATASETS)}."))


def other_than(file: Path, dataset: str) -> str:
    """A hint for a file whose samples do not fit a dataset: whose they may be, by its name."""
    named = _named(file)
    if named is not None and DATASETS[named].files != DATASETS[dataset].files:
        return f"By its name it is a file of {named!r}, not of {dataset!r}."
    return f"Or it is a file of another dataset than {dataset!r}."


def _named(file: Path) -> str | None:
    part = PART.fullmatch(file.name)
    stem = (part[1] if part else file.stem).casefold()
    for name, declaration in DATASETS.items():
        if stem in (name, declaration.files, declaration.files.removeprefix("geobench_")):
            return name
    return None
