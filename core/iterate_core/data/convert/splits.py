"""Which split each sample belongs to: as the source or a file says, or drawn in proportion."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from iterate_core.data.convert.source import SPLIT_WORDS, shortened
from iterate_core.data.convert.tables import text_of
from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.draws import draw_splits
from iterate_core.data.target import Form
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.fingerprint import seed_for
from iterate_core.plurals import counted

DEFAULT_SHARES = (0.6, 0.2, 0.2)
_MOST_TOLD = 10  # classes in a message
_NUMBER = re.compile(r"[0-9.]+")


class Divisible(Protocol):
    """What is known of samples that are divided among the splits; see `SampleSource`."""

    where: str
    form: Form
    classes: tuple[str, ...]
    names: list[str]
    aliases: list[set[str]]
    splits: list[Split] | None
    strata: list[int]


def assign(source: Divisible, asked: str | None, seed: int) -> tuple[list[Split], tuple[str, ...]]:
    """The split of each sample, and notes on how it came about.

    Args:
        source: The samples.
        asked: As the `split` of `convert`; an array's name has been read by the source already.
        seed: Fixes a random split.

    Raises:
        RequestError: `asked` is neither shares nor a file.
        DataError: The split file is damaged, or does not list each sample once.
    """
    shares = _shares(asked) if asked else None
    if asked and shares is None and not Path(asked).suffix and source.splits is not None:
        return source.splits, (f"split as in {asked!r}",)
    if asked and shares is None:
        return split_of_file(source, Path(asked).expanduser()), (f"split as in {Path(asked).name}",)
    if source.splits is not None and shares is None:
        return source.splits, ()
    return drawn(source, shares or DEFAULT_SHARES, seed)


def drawn(
    source: Divisible, shares: Sequence[float], seed: int
) -> tuple[list[Split], tuple[str, ...]]:
    """A random split of each sample that keeps strata in proportion, and notes on it."""
    shown = "/".join(f"{share:g}" for share in shares)
    rng = np.random.default_rng(seed_for("split", seed))
    splits = draw_splits(np.array(source.strata), shares, rng)
    notes = (f"split drawn in proportion {shown} with seed {seed}", *_sparse(source, splits))
    return splits, notes


def check_filled(source: Divisible, splits: list[Split]) -> None:
    """Refuse to leave a split empty, and say which classes are too small.

    Raises:
        DataError: One is.
    """
    empty = [split for split in SPLITS if split not in splits]
    if not empty:
        return
    counts = Counter(() if source.form == "quantities" else source.strata)
    told = ", ".join(
        f"{source.classes[label]!r} has {counts[label]}"
        for label in sorted(counts, key=lambda label: counts[label])[:_MOST_TOLD]
        if 0 <= label < len(source.classes)
    )
    what = f"has {counted(len(splits), 'sample')}, of which none falls to {' and '.join(empty)}"
    hint = "Add samples, or say with --split which sample belongs where."
    of_classes = f"; of its classes, {told}" if told else ""
    raise DataError(Problem(source.where, f"{what}{of_classes}.", hint))


def _sparse(source: Divisible, splits: list[Split]) -> tuple[str, ...]:
    """Which classes have so few samples that a split lacks them."""
    if source.form != "index":
        return ()  # a sample holds several classes
    found: dict[int, list[Split]] = {}
    for label, split in zip(source.strata, splits, strict=True):
        found.setdefault(label, []).append(split)
    notes = []
    for label, held in sorted(found.items()):
        lacking = [split for split in SPLITS if split not in held]
        if lacking and 0 <= label < len(source.classes):
            count = f"{len(held)} sample{'s' if len(held) > 1 else ''}"
            name = source.classes[label]
            verb = "lacks" if len(lacking) == 1 else "lack"
            notes.append(f"class {name!r} has {count}: {' and '.join(lacking)} {verb} it")
    return tuple(notes)


def _shares(asked: str) -> tuple[float, ...] | None:
    parts = [part.strip() for part in asked.split(",")]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        shares = tuple(float(part) for part in parts)
    except ValueError:
        shares = ()
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        what = f"must be three positive shares that sum to 1, but is {asked!r}."
        raise RequestError(Problem("split", what, "For example 0.6,0.2,0.2."))
    return shares


def split_of_file(source: Divisible, path: Path) -> list[Split]:
    """The split of each sample, as a .csv or .json file lists them.

    Raises:
        RequestError: It is neither.
        DataError: It is damaged, or does not list each sample once.
    """
    if path.suffix.lower() not in (".csv", ".json"):
        what = f"{str(path)!r} is no array of the source, no .csv or .json file, and no shares."
        raise RequestError(Problem("split", what, "For example 0.6,0.2,0.2."))
    text = text_of(path)
    listed = _csv(text, path) if path.suffix.lower() == ".csv" else _json(text, path)
    owner = {alias: index for index, known in enumerate(source.aliases) for alias in known}
    splits: dict[int, Split] = {}
    unknown = []
    for name, split in listed:
        index = owner.get(name)
        if index is None:
            unknown.append(name)
        elif splits.setdefault(index, split) != split:
            raise DataError(Problem(str(path), f"puts {name!r} into two splits."))
    missing = [name for index, name in enumerate(source.names) if index not in splits]
    problems = []
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        what = f"lists {counted(len(unknown), 'sample')} that {verb} not in {source.where}: "
        problems.append(Problem(str(path), f"{what}{shortened(unknown)}."))
    if missing:
        problems.append(Problem(str(path), f"does not list {len(missing)}: {shortened(missing)}."))
    if problems:
        raise DataError(problems)
    return [splits[index] for index in range(len(source.names))]


def _csv(text: str, path: Path) -> list[tuple[str, Split]]:
    rows = csv.DictReader(text.splitlines())
    columns = rows.fieldnames or []
    name = next((column for column in ("name", "file", "image", "id") if column in columns), None)
    if name is None or "split" not in columns:
        what = f"must have the columns 'name' (or 'file') and 'split', but has {list(columns)}."
        raise DataError(Problem(str(path), what))
    return [(row[name] or "", _word(row["split"], f"{path}:{rows.line_num}")) for row in rows]


def _json(text: str, path: Path) -> list[tuple[str, Split]]:
    """``{"train": [names], "val": …}`` or ``{name: split}``."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(Problem(str(path), f"is not valid JSON ({error}).")) from None
    if not isinstance(found, dict):
        raise DataError(Problem(str(path), "must hold a mapping."))
    if found and all(isinstance(names, list) for names in found.values()):
        return [
            (str(name), _word(word, str(path))) for word, names in found.items() for name in names
        ]
    return [(name, _word(word, str(path))) for name, word in found.items()]


def _word(word: Any, where: str) -> Split:
    split = SPLIT_WORDS.get(str(word).strip().lower())
    if split is None:
        raise DataError(Problem(where, f"{word!r} is no split.", "Legal: train, val, test."))
    return split
