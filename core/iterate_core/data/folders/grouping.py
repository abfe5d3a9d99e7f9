"""Files that belong to one sample, by the fields of their patterns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from iterate_core.data.convert.images import DRIVERS
from iterate_core.data.convert.source import SPLIT_WORDS, shortened
from iterate_core.data.dataset import Split
from iterate_core.data.folders.dates import day_in
from iterate_core.data.folders.options import GeotiffFolderData
from iterate_core.data.folders.patterns import DATE, NAME, SPLIT, Match, Pattern
from iterate_core.data.folders.samples import FolderSample
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.escaping import visible
from iterate_core.plurals import counted

Group = tuple[Match, ...]
"""The files of one sample that match one pattern: one, or one a date."""


def grouped(
    root: Path, patterns: Sequence[Pattern], section: GeotiffFolderData
) -> tuple[list[tuple[Group, ...]], tuple[str, ...]]:
    """Of each sample the files that match each pattern, and a note on what has no partner.

    Files of other patterns belong to a file of the first where the fields that both have agree.

    Raises:
        DataError: A file has no partner.
    """
    first, *others = patterns
    keys = [_shared(first, other) for other in others]
    by_key = [_by_fields(root, pattern, key) for pattern, key in zip(others, keys, strict=True)]
    used: list[set[tuple[str, ...]]] = [set() for _ in others]
    groups: list[tuple[Group, ...]] = []
    alone: list[str] = []
    for group in _by_fields(root, first, _own(first)).values():
        fields = group[0].fields
        values = [tuple(fields[name] for name in key) for key in keys]
        if not all(value in files for value, files in zip(values, by_key, strict=True)):
            alone.append(str(group[0].path.relative_to(root)))
            continue
        for value, taken in zip(values, used, strict=True):
            taken.add(value)
        partners = (files[value] for value, files in zip(values, by_key, strict=True))
        groups.append((group, *partners))
    for files, taken in zip(by_key, used, strict=True):
        unused = [group[0].path for value, group in files.items() if value not in taken]
        alone += [str(path.relative_to(root)) for path in unused]
    return groups, _told(alone, groups, root, section)


def _told(
    alone: Sequence[str], groups: Sequence[object], root: Path, section: GeotiffFolderData
) -> tuple[str, ...]:
    if not groups:
        what = f"no file has its partners; {shortened(alone)} have none."
        raise DataError(Problem(str(root), what, "Fields in the patterns must be equal."))
    if not alone:
        return ()
    if section.incomplete == "refuse":
        what = f"{counted(len(alone), 'file')} without partner: {shortened(alone)}."
        raise DataError(Problem(str(root), what, "data.incomplete: skip leaves them out."))
    return (f"{counted(len(alone), 'file')} without partner left out: {shortened(alone)}",)


def _own(pattern: Pattern) -> tuple[str, ...]:
    """The fields that tell its samples apart; the stem where it has none."""
    fields = tuple(name for name in pattern.fields if name != DATE)
    return fields if set(fields) - {SPLIT} else (*fields, NAME)


def _shared(first: Pattern, other: Pattern) -> tuple[str, ...]:
    """The fields by which files of another pattern belong to those of the first.

    Raises:
        RequestError: The first has not got one of them.
    """
    known = {*first.fields, NAME}
    fields = tuple(name for name in other.fields if name != DATE)
    strange = [name for name in fields if name not in known]
    if strange:
        what = f"has the field {{{strange[0]}}}, which {first.where} has not."
        hint = f"It has: {', '.join(f'{{{name}}}' for name in sorted(known - {DATE}))}."
        raise RequestError(Problem(other.where, what, hint))
    return fields if set(fields) - {SPLIT} else (*fields, NAME)


def _by_fields(
    root: Path, pattern: Pattern, key: Sequence[str]
) -> dict[tuple[str, ...], tuple[Match, ...]]:
    """The files that match, by the values of some fields; dates in their order."""
    found: dict[tuple[str, ...], list[Match]] = {}
    for match in pattern.matches(root):
        if pattern.images and match.path.suffix.lower() not in DRIVERS:
            what = f"is no image: images end in {', '.join(DRIVERS)}."
            raise DataError(Problem(str(match.path), what, f"{pattern.where} matches it."))
        found.setdefault(tuple(match.fields[name] for name in key), []).append(match)
    groups = {value: tuple(sorted(of, key=_moment)) for value, of in found.items()}
    if DATE not in pattern.fields:
        for group in groups.values():
            if len(group) > 1:
                what = f"matches {group[0].path} and {group[1].path} for one sample."
                hint = "{date} tells dates of a sample apart."
                raise DataError(Problem(pattern.where, what, hint))
    return groups


def _moment(match: Match) -> tuple[tuple[int, int], str]:
    text = match.fields.get(DATE, "")
    return (day_in(text) or (0, 0)), text


# Samples


def _spread(group: Group, frames: int | None, where: str) -> Group:
    """Some dates, evenly spread over those that there are; all where no number is asked for.

    Raises:
        DataError: There are fewer.
    """
    count = len(group)
    if frames is None or DATE not in group[0].fields:
        return group
    if count < frames:
        what = f"has {counted(count, 'date')}, but data.frames asks for {frames}."
        raise DataError(Problem(where, what))
    return tuple(group[index * count // frames] for index in range(frames))


def sample_of(root: Path, groups: Sequence[Group], frames: int | None) -> FolderSample:
    """A sample of the files that match each pattern of images.

    Raises:
        DataError: It has fewer dates than are asked for.
    """
    fields = groups[0][0].fields
    name = _name(fields)
    chosen = [_spread(group, frames, f"{root}, sample {name}") for group in groups]
    days = tuple(tuple(match.fields.get(DATE, "") for match in group) for group in chosen)
    files = [match.path for group in chosen for match in group]
    aliases = {name, *(path.name for path in files)}
    return FolderSample(
        name,
        tuple(tuple(match.path for match in group) for group in chosen),
        _split(fields, groups[0][0].path),
        frozenset(aliases | {path.relative_to(root).as_posix() for path in files}),
        days if any(map(any, days)) else None,
    )


def _name(fields: Mapping[str, str]) -> str:
    """What stands for the fields, or the stem where there are none."""
    own = [value for name, value in fields.items() if name not in (NAME, SPLIT, DATE)]
    return visible("-".join(own) or fields[NAME])


def _split(fields: Mapping[str, str], path: Path) -> Split | None:
    if SPLIT not in fields:
        return None
    split = SPLIT_WORDS.get(fields[SPLIT].lower())
    if split is None:
        raise DataError(Problem(str(path), f"{fields[SPLIT]!r} is no split: train, val or test."))
    return split


def check_names(samples: Sequence[FolderSample], root: Path) -> None:
    """Refuse samples of one name.

    Raises:
        DataError: There are any.
    """
    often = Counter(sample.name for sample in samples)
    twice = [name for name, count in often.items() if count > 1]
    if twice:
        what = f"several samples would be called {shortened(twice)}."
        hint = "Give the pattern of images more fields in braces."
        raise DataError(Problem(str(root), what, hint))
