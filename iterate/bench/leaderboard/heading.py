"""What a leaderboard says of itself before its numbers, the same in every medium."""

from __future__ import annotations

from collections.abc import Iterator

from iterate.bench.leaderboard.about import Made, RunRecord, SubmittedFile
from iterate.bench.leaderboard.provenance import ends
from iterate.bench.leaderboard.rows import Leaderboard

_DIGITS = 12  # of a digest, for people; the JSON has all of them


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


def protocol_of(source: SubmittedFile) -> str:
    """How the results of a file were trained; empty where that is not known."""
    return "" if source.run is None else _training(source.run)


def _training(run: RunRecord) -> str:
    told = []
    if run.cells:
        trials, repeats, epochs = (
            ends([str(count) for count in sorted(counts)])
            for counts in zip(*((c.trials, c.repeats, c.epochs) for c in run.cells), strict=True)
        )
        searched = f"{_some(trials, 'trial')}, {_some(repeats, 'repeat')} of the best"
        told.append(f"{searched}, up to {_some(epochs, 'epoch')} each")
    if run.percent != 100:
        told.append(f"{run.percent:g} % of the training samples")
    if run.shots is not None:
        told.append(f"{run.shots} training samples of each class, drawn anew for each repeat")
    if run.splits is not None:
        told.append(run.splits)
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
    days = sorted({cell.finished[:10] for cell in run.cells if cell.finished})
    if days:
        yield f"trained {ends(days)}"
    if used:
        yield f"with {' and '.join(used)}"


def _versions(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
