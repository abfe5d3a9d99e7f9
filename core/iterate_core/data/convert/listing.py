"""Which images a folder holds, and what stands beside each: a mask, a class, or a table's row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from iterate_core.data.convert.images import DRIVERS
from iterate_core.data.convert.source import SPLIT_WORDS, shortened
from iterate_core.data.convert.tables import TABLE, read_table
from iterate_core.data.dataset import Split
from iterate_core.errors import DataError, Problem

# Files that accompany an image, and papers that accompany a dataset: no samples.
_SIDECARS = (".aux.xml", ".tfw", ".tifw", ".pgw", ".pngw", ".jgw", ".jpgw", ".wld", ".ovr", ".prj")
_PAPERS = ("readme", "license", "licence", "citation", "copying")


@dataclass(frozen=True)
class ImageFile:
    """An image, and one of what may belong to it.

    Attributes:
        image: Its file.
        mask: The file of its mask.
        label: The folder that names its class.
        values: Its quantities by their names, NaN where unknown.
        split: Where the folders or the table say.
    """

    image: Path
    mask: Path | None = None
    label: str | None = None
    values: Mapping[str, float] | None = None
    split: Split | None = None


def image_files(root: Path, beside: Collection[Path] = ()) -> Iterable[ImageFile]:
    """Every sample below `root`.

    Args:
        root: The folder.
        beside: Further files that may lie in it, such as one that says the splits.

    Raises:
        DataError: Any other file is there, or one without its partner.
    """
    folders, files = _listing(root)
    stray = [
        path
        for path in files
        if path.resolve() not in beside and not path.name.lower().startswith(_PAPERS)
    ]
    words = {folder.name.lower() for folder in folders}
    if words and words <= SPLIT_WORDS.keys():
        _refuse(root, stray)
        for folder in folders:
            yield from _samples(folder, *_listing(folder), SPLIT_WORDS[folder.name.lower()])
    else:
        yield from _samples(root, folders, stray, None)


def _samples(
    root: Path, folders: list[Path], files: list[Path], split: Split | None
) -> Iterable[ImageFile]:
    names = {folder.name for folder in folders}
    if names == {"images"} and root / TABLE in files:
        _refuse(root, [path for path in files if path != root / TABLE])
        yield from _tabled(root, split)
        return
    _refuse(root, files)
    if names == {"images", "masks"}:
        yield from _pairs(root, split)
        return
    if names & {"images", "masks"}:
        what = (
            f"must hold images/ and masks/ and nothing else, but holds {shortened(sorted(names))}."
        )
        raise DataError(Problem(str(root), what))
    for folder in folders:
        for path in _images(folder):
            yield ImageFile(path, label=folder.name, split=split)


def _tabled(root: Path, split: Split | None) -> Iterable[ImageFile]:
    """Images, each with the row of the table that bears its name, with its suffix or without."""
    table = root / TABLE
    images, rows = _by_stem(root / "images"), read_table(table)
    found = {path: {stem, path.name} & rows.keys() for stem, path in images.items()}
    unmatched = {
        "has no row for": [path.name for path, names in found.items() if not names],
        "has two rows for": [path.name for path, names in found.items() if len(names) == 2],
        "has a row, but images/ no image for": sorted(rows.keys() - set().union(*found.values())),
    }
    problems = [
        Problem(str(table), f"{what} {shortened(names)}.")
        for what, names in unmatched.items()
        if names
    ]
    if problems:
        raise DataError(problems)
    for path, (name,) in found.items():
        yield ImageFile(path, values=rows[name].values, split=rows[name].split or split)


def _pairs(root: Path, split: Split | None) -> Iterable[ImageFile]:
    images = _by_stem(root / "images")
    masks = _by_stem(root / "masks")
    problems = []
    for one, other, kind in ((images, masks, "mask"), (masks, images, "image")):
        alone = [str(path.relative_to(root)) for stem, path in one.items() if stem not in other]
        if alone:
            what = f"{len(alone)} files have no {kind} of the same stem: {shortened(alone)}."
            problems.append(Problem(str(root), what))
    if problems:
        raise DataError(problems)
    for stem, path in images.items():
        yield ImageFile(path, masks[stem], split=split)


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _images(folder):
        if path.stem in found:
            what = f"holds both {found[path.stem].name} and {path.name}."
            raise DataError(Problem(str(folder), what, "Stems must be distinct."))
        found[path.stem] = path
    return found


def _images(folder: Path) -> list[Path]:
    inner, files = _listing(folder)
    unexpected = [*inner, *(path for path in files if path.suffix.lower() not in DRIVERS)]
    _refuse(folder, unexpected)
    if not files:
        raise DataError(Problem(str(folder), "holds no images."))
    return files


def _listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files, sorted, without hidden ones and images' sidecars."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(Problem(str(folder), f"cannot be read ({error.strerror}).")) from None
    seen = [
        path
        for path in entries
        if not path.name.startswith(".") and not path.name.lower().endswith(_SIDECARS)
    ]
    return [path for path in seen if path.is_dir()], [path for path in seen if not path.is_dir()]


def _refuse(folder: Path, unexpected: list[Path]) -> None:
    if unexpected:
        names = shortened([path.name for path in unexpected])
        what = f"{len(unexpected)} entries are neither images nor expected here: {names}."
        hint = f"Images end in {', '.join(DRIVERS)}; move anything else away."
        raise DataError(Problem(str(folder), what, hint))
