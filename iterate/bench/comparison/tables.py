"""A comparison as JSON, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iterate.bench.comparison.compare import RankComparison, Ranking
from iterate.bench.leaderboard.csv_table import table_text
from iterate.bench.leaderboard.tables import DASH, NOT_KNOWN, markdown_line
from iterate_core.escaping import in_csv, in_markdown
from iterate_core.storage.files import replacing, write_json

LEGEND = (
    "τ: Kendall's τ-b between both sides' scores, 1 for the same order and -1 for the reverse; p: "
    "of so large a τ if the two orders had nothing to do with each other. In brackets: 95 % "
    "intervals over training seeds, which are drawn again within every backbone and dataset of "
    "both sides. A move beyond chance is one whose interval does not contain 0."
)


def rank_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """A line a backbone, by its rank on the first side; `move` is positive where it falls."""
    return [
        {
            "backbone": backbone,
            "first_score": first,
            "second_score": second,
            "first_rank": move.first,
            "second_rank": move.second,
            "move": move.second - move.first,
            "move_low": move.low,
            "move_high": move.high,
            "beyond_chance": move.beyond_chance,
        }
        for backbone, (first, second) in ranking.scores.items()
        for move in [ranking.agreement.moves[backbone]]
    ]


def json_comparison(comparison: RankComparison) -> dict[str, Any]:
    """All of a comparison as plain JSON types."""
    return {
        "suite": comparison.suite.name,
        "sides": [{"label": side.label, "told": side.told} for side in comparison.sides],
        "notes": list(comparison.notes),
        "rankings": [
            {**_summary(ranking), "left_out": ranking.left_out, "ranks": rank_rows(ranking)}
            for ranking in comparison.rankings
        ],
    }


def _summary(ranking: Ranking) -> dict[str, Any]:
    found = ranking.agreement
    return {
        "kind": ranking.kind,
        "name": ranking.name,
        "first_track": ranking.tracks[0],
        "second_track": ranking.tracks[1],
        "backbones": len(ranking.scores),
        "tau": found.tau,
        "p": found.p,
        "low": found.low,
        "high": found.high,
    }


def csv_text(comparison: RankComparison) -> str:
    """A line a backbone and group or dataset; absent is empty."""
    lines = [
        {key: in_csv(cell) for key, cell in {**_summary(ranking), **row}.items()}
        for ranking in comparison.rankings
        for row in rank_rows(ranking)
    ]
    return table_text(list(lines[0]), lines)


def markdown(comparison: RankComparison) -> str:
    """For people: how far the sides agree, and the ranks of every group."""
    first, second = comparison.sides
    lines = [f"# {in_markdown(f'{comparison.suite.title}: {first.label} and {second.label}')}", ""]
    lines += [f"- {in_markdown(side.label)}: {in_markdown(side.told)}" for side in (first, second)]
    lines += [f"> {in_markdown(note)}" for note in comparison.notes]
    for tracks in dict.fromkeys(ranking.tracks for ranking in comparison.rankings):
        own = [ranking for ranking in comparison.rankings if ranking.tracks == tracks]
        lines += ["", f"## {in_markdown(title_of(comparison, tracks))}", "", *_agreements(own)]
        for ranking in own:
            lines += ["", f"### {in_markdown(ranking.name)}", "", *_ranks(ranking)]
            told = left_out(ranking)
            lines += ["", in_markdown(told)] if told else []
    return "\n".join([*lines, "", LEGEND, ""])


def title_of(comparison: RankComparison, tracks: tuple[str, str]) -> str:
    """Both tracks for people, one if they are the same."""
    titles = dict.fromkeys(comparison.suite.tracks[track] for track in tracks)
    return " and ".join(titles)


def left_out(ranking: Ranking) -> str:
    """The backbones that are not compared and why, as a sentence; empty if there are none."""
    together: dict[str, list[str]] = {}
    for backbone, why in ranking.left_out.items():
        together.setdefault(why, []).append(backbone)
    told = [f"{', '.join(names)} ({why})" for why, names in together.items()]
    return f"Not compared: {'; '.join(told)}." if told else ""


def _agreements(rankings: Sequence[Ranking]) -> list[str]:
    heads = ["group or dataset", "backbones", "τ", "95 %", "p"]
    lines = [markdown_line(heads), markdown_line(["---", *["---:"] * 4])]
    return lines + [markdown_line([ranking.name, *agreed(ranking)]) for ranking in rankings]


def agreed(ranking: Ranking) -> list[str]:
    """How many backbones, τ, its interval, and p; a dash for what there is not."""
    found = ranking.agreement
    return [
        str(len(ranking.scores)),
        DASH if found.tau is None else f"{found.tau:.2f}",
        NOT_KNOWN if found.low is None else f"{found.low:.2f} to {found.high:.2f}",
        DASH if found.p is None else f"{found.p:.2g}",
    ]


def _ranks(ranking: Ranking) -> list[str]:
    heads = ["backbone", "first", "second", "rank", "then", "move", "95 %"]
    lines = [markdown_line(heads), markdown_line(["---", *["---:"] * 6])]
    digits = 1 if ranking.kind == "group" else 4
    for row in rank_rows(ranking):
        scores = [f"{row[side]:.{digits}f}" for side in ("first_score", "second_score")]
        ranks = [str(row["first_rank"]), str(row["second_rank"])]
        lines.append(markdown_line([row["backbone"], *scores, *ranks, *moved(row)]))
    return lines


def moved(row: dict[str, Any]) -> tuple[str, str]:
    """By how many places a backbone moves, beyond chance with a star, and the interval of that."""
    by = _signed(row["move"]) + ("*" if row["beyond_chance"] else "")
    if row["move_low"] is None:
        return by, NOT_KNOWN
    return by, f"{_signed(row['move_low'])} to {_signed(row['move_high'])}"


def _signed(places: float) -> str:
    """``+2``, ``-1``, ``0``."""
    return f"{places:+.0f}" if round(places) else "0"


def write_comparison(comparison: RankComparison, folder: Path) -> list[Path]:
    """Write every form of a comparison into a folder, which is made if need be.

    Returns:
        The files.
    """
    texts = {"comparison.md": markdown(comparison), "comparison.csv": csv_text(comparison)}
    for name, text in texts.items():
        with replacing(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    write_json(folder / "comparison.json", json_comparison(comparison))
    return [folder / name for name in (*texts, "comparison.json")]
