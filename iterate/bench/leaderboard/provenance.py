"""Where the scores of each row come from: copied or run here, how, with which weights."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.rows import Leaderboard

_DIGITS = 12  # of a digest, for people; the JSON has all of them


@dataclass(frozen=True)
class Provenance:
    """Where some scores of an entry come from; each part empty where nothing says it.

    Attributes:
        scores: ``copied`` from a results file, ``run`` by us, or both.
        sources: The results files.
        copied: Those that scores were copied from.
        protocols: By which the models were trained.
        weights: What the backbone began with, each with its digest.
        licences: Of those weights, and of results that were copied.
        parameters: Of the whole models, the decoder included, from the fewest on.
        trained_parameters: Of these, those that train.
    """

    scores: tuple[str, ...]
    sources: tuple[str, ...]
    copied: tuple[str, ...]
    protocols: tuple[str, ...]
    weights: tuple[str, ...]
    licences: tuple[str, ...]
    parameters: tuple[int, ...]
    trained_parameters: tuple[int, ...]


def provenance(board: Leaderboard, entry: BoardEntry, datasets: Container[str]) -> Provenance:
    """Where an entry's scores on some datasets come from."""
    labels = {label for name, label in entry.origins.items() if name in datasets}
    known = () if board.about is None else board.about.sources
    sources = [one for one in known if one.label in labels]
    runs = [one.run for one in sources if one.run is not None]
    cells = made_of(board, entry, datasets)
    copied = [one for one in sources if one.run is None]
    licences = [f"weights {cell.licence}" for cell in cells if cell.licence]
    licences += [f"results {one.licence}" for one in copied if one.licence]
    return Provenance(
        _each("copied" if one.run is None else "run" for one in sources),
        _each(one.label for one in sources),
        _each(one.label for one in copied),
        _each(run.protocol for run in runs),
        _each(cell.weights for cell in cells),
        _each(licences),
        _ordered(cell.parameters for cell in cells),
        _ordered(cell.trained_parameters for cell in cells),
    )


def made_of(board: Leaderboard, entry: BoardEntry, datasets: Container[str]) -> list[Made]:
    """What the models behind an entry's scores on some datasets were made with, where known."""
    return [
        cell
        for one in (() if board.about is None else board.about.sources)
        if one.run is not None
        for cell in one.run.cells
        if cell.backbone == entry.backbone and cell.dataset in datasets
        if entry.origins.get(cell.dataset) == one.label
    ]


def _ordered(counts: Iterable[int | None]) -> tuple[int, ...]:
    return tuple(sorted({count for count in counts if count is not None}))


def _each(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


@dataclass(frozen=True)
class Origin:
    """Where an entry's scores come from, for people.

    Attributes:
        backbone: Its label.
        scores: ``copied from full_ft``, ``run``.
        protocol: By which it was trained.
        weights: Every kind that its datasets had, with the first digits of digests.
        licence: Of weights and copied results.
        parameters: Of the whole model, the decoder included, and how many of them train if not
            all; empty as all else, where not known.
    """

    backbone: str
    scores: str
    protocol: str
    weights: str
    licence: str
    parameters: str


def origins(board: Leaderboard) -> list[Origin]:
    """Where the scores of each entry come from; empty where nothing is known of any."""
    if board.about is None:
        return []
    return [_origin(entry.label, provenance(board, entry, entry.cells)) for entry in board.entries]


def _origin(label: str, found: Provenance) -> Origin:
    partly = found.trained_parameters != found.parameters
    trained = _span(found.trained_parameters) if partly else ""
    copied = f"copied from {', '.join(found.copied)}"
    return Origin(
        label,
        "; ".join(copied if how == "copied" else how for how in found.scores),
        ", ".join(found.protocols),
        "; ".join(map(_short, found.weights)),
        "; ".join(found.licences),
        _span(found.parameters) + (f" ({trained} trained)" if trained else ""),
    )


def ends(ordered: list[str]) -> str:
    """The first and the last of some texts, or the one that they all are."""
    return " to ".join(dict.fromkeys([*ordered[:1], *ordered[-1:]]))


def _span(counts: tuple[int, ...]) -> str:
    """``11.2 M``, or ``11.2 to 13.5 M`` where decoders differ from dataset to dataset."""
    return f"{ends([f'{count / 1e6:.3g}' for count in counts])} M" if counts else ""


def _short(text: str) -> str:
    """Digests of 64 digits by their first."""
    words = [f"{word[:_DIGITS]}…{word[64:]}" if _digest(word) else word for word in text.split(" ")]
    return " ".join(words)


def _digest(word: str) -> bool:
    return len(word) >= 64 and all(digit in "0123456789abcdef" for digit in word[:64])
