"""What a leaderboard says of itself before its numbers, the same in every medium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iterate.bench.leaderboard.about import Made, RunRecord, SubmittedFile
from iterate.bench.leaderboard.rows import Leaderboard

_DIGITS = 12  # of a digest, for people; the JSON has all of them


@dataclass(frozen=True)
class Origin:
    """What a backbone's models began with.

    Attributes:
        backbone: Its name in the table.
        weights: Every kind that its datasets had.
        parameters: Of the whole model, the decoder included; empty where not known.
    """

    backbone: str
    weights: str
    parameters: str


def facts(board: Leaderboard) -> list[tuple[str, str]]:
    """Protocol, results, dates and versions: (what, text)."""
    about = board.about
    if about is None:
        return []
    found = [("Protocol", text) for text in dict.fromkeys(map(protocol_of, about.sources)) if text]
    if not found:
        found = [("Protocol", "not known: results files do not say how they were made")]
    found += [("Results", _results(source)) for source in about.sources]
    return [*found, ("Written", f"{about.written} with {_versions(about.versions)}")]


def cells(board: Leaderboard) -> list[Made]:
    """What the models of each cell were made with, as far as it is known."""
    runs = [one.run for one in board.about.sources if one.run] if board.about else []
    return [cell for run in runs for cell in run.cells]


def origins(board: Leaderboard) -> list[Origin]:
    """Weights and parameters of each backbone of which they are known."""
    known = cells(board)
    return [
        _origin(name, [cell for cell in known if cell.backbone == name])
        for name in dict.fromkeys(cell.backbone for cell in known)
    ]


def _origin(name: str, made: list[Made]) -> Origin:
    weights = dict.fromkeys(_short(cell.weights) for cell in made)
    counts = sorted(cell.parameters for cell in made if cell.parameters is not None)
    return Origin(name, "; ".join(weights), _span(counts))


def _span(counts: list[int]) -> str:
    """``11.2 M``, or ``11.2 to 13.5 M`` where decoders differ from dataset to dataset."""
    return f"{_ends([f'{count / 1e6:.3g}' for count in counts])} M" if counts else ""


def _ends(ordered: list[str]) -> str:
    """The first and the last of some texts, or the one that they all are."""
    return " to ".join(dict.fromkeys([*ordered[:1], *ordered[-1:]]))


def _short(text: str) -> str:
    """Digests of 64 digits by their first."""
    words = [f"{word[:_DIGITS]}…{word[64:]}" if _digest(word) else word for word in text.split(" ")]
    return " ".join(words)


def _digest(word: str) -> bool:
    return len(word) >= 64 and all(digit in "0123456789abcdef" for digit in word[:64])


def protocol_of(source: SubmittedFile) -> str:
    """How the results of a file were trained; empty where that is not known."""
    return "" if source.run is None else _training(source.run)


def _training(run: RunRecord) -> str:
    told = []
    if run.cells:
        trials, repeats, epochs = (
            _ends([str(count) for count in sorted(counts)])
            for counts in zip(*((c.trials, c.repeats, c.epochs) for c in run.cells), strict=True)
        )
        searched = f"{_some(trials, 'trial')}, {_some(repeats, 'repeat')} of the best"
        told.append(f"{searched}, up to {_some(epochs, 'epoch')} each")
    if run.percent != 100:
        told.append(f"{run.percent:g} % of the training samples")
    if run.shots is not None:
        told.append(f"{run.shots} training samples of each class, drawn anew for each repeat")
    if run.words:
        told.append(f"with {' '.join(run.words)}")
    return f"{run.protocol}: {'; '.join(told)}" if told else run.protocol


def _some(count: str, what: str) -> str:
    return f"{count} {what}" if count == "1" else f"{count} {what}s"


def _results(source: SubmittedFile) -> str:
    kind = "published, " if source.published else ""
    told = f"{source.label} ({kind}sha256 {source.sha256[:_DIGITS]}…)"
    return "; ".join([told, *(_trained(source.run) if source.run else ())])


def _trained(run: RunRecord) -> Iterator[str]:
    """When, and with which versions: once for all cells that share them."""
    used = dict.fromkeys(_versions(cell.versions) for cell in run.cells)
    ends = sorted({cell.finished[:10] for cell in run.cells if cell.finished})
    if ends:
        yield f"trained {_ends(ends)}"
    if used:
        yield f"with {' and '.join(used)}"


def _versions(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
