"""A leaderboard as one self-contained HTML page: no file, font or script from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files

from iterate.bench.leaderboard.html_head import provenance, warnings
from iterate.bench.leaderboard.rows import DatasetRow, GroupFindings, GroupRow, Leaderboard
from iterate.bench.leaderboard.svg import Drawn, interval_plot, share_bars
from iterate.bench.leaderboard.tables import DASH, NO_GROUP, NOT_KNOWN, order
from iterate_core.escaping import in_html as escape

AS_PUBLISHED = "As published leaderboards compute it"

_MEANINGS = (
    (
        "Score",
        "Normalised scores × 100: on each dataset, 0 is the worst and 100 the best single score of "
        "the reference results, nothing clipped. A group's score is the interquartile mean over "
        "its datasets and seeds: a quarter of all scores is left out at each end. Where a dataset "
        "is not the published one, its points are raw scores × 100, and a note says so.",
    ),
    (
        "Interval",
        "95 % interval of the score over training seeds (light band; dark bar: ± one standard "
        "error). It ends where the metric does. It is not known where there is one seed, or where "
        "all seeds tie. Datasets and test samples are taken as given.",
    ),
    (
        "Interval over samples",
        "95 % interval of a raw mean over test samples, the trained models taken as they are "
        "(bias-corrected and accelerated bootstrap): would other images of the same kind give the "
        "same score? It says nothing of seeds, and the other interval nothing of samples.",
    ),
    (
        AS_PUBLISHED,
        "What the benchmark's own leaderboard shows, number for number: the mean of 100 "
        "bootstrapped interquartile means ± the standard error of those rounds, which shrinks with "
        "their number and is no sampling error. It is not known where no dataset has two "
        "seeds that differ.",
    ),
    (
        "Rank",
        "By score, with the ranks that a backbone might have: simultaneously 95 % sure for all "
        "backbones, from Holm-corrected comparisons of every pair.",
    ),
    (
        "Share of the spread",
        "How much of the variance between the backbones' mean scores comes from each dataset; "
        "negative where a dataset ranks against the rest of its group.",
    ),
    (
        "Critical difference",
        "Average ranks over datasets closer than this could be the luck of which datasets are in "
        "the group (Friedman, Nemenyi).",
    ),
)


def page(board: Leaderboard) -> str:
    """The whole page."""
    suite = board.suite
    tracks = [track for track in suite.tracks if any(row.track == track for row in board.groups)]
    body = [
        f"<h1>{escape(suite.title)} leaderboard</h1>",
        *warnings(board),
        f'<p class="soft">{len(board.entries)} entries · {_count(board)} datasets · '
        f"{escape(suite.reference)}</p>",
        *provenance(board),
        *(f'<p class="note">{escape(note)}</p>' for note in board.notes),
    ]
    if len(tracks) > 1:
        body.append(_choice("track", {track: suite.tracks[track] for track in tracks}))
    body += [_panel("track", track, _track(board, track)) for track in tracks]
    body += ["<h2>How to read this</h2>", "<dl>"]
    body += [f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in _MEANINGS]
    body.append("</dl>")
    here = files("iterate.bench.leaderboard")
    style = here.joinpath("report.css").read_text(encoding="utf-8")
    script = here.joinpath("report.js").read_text(encoding="utf-8")
    content = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(suite.title)} leaderboard</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{content}\n</main>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _count(board: Leaderboard) -> int:
    return len({row.dataset for row in board.datasets})


def _track(board: Leaderboard, track: str) -> str:
    rows = [row for row in board.groups if row.track == track]
    datasets = [row for row in board.datasets if row.track == track]
    used = [
        g for g in board.suite.groups if any(r.group == g and r.value is not None for r in rows)
    ]
    name = _namer(board)
    parts = [f"<h2>{escape(board.suite.tracks[track])}: capabilities</h2>"]
    if used:
        sets = f"{track}-group"
        parts += [
            _choice(sets, {group: group for group in used}),
            *(_panel(sets, group, _group(board, rows, track, group, name)) for group in used),
            "<h2>All capabilities</h2>",
            '<p class="soft">Points. Click a heading to sort.</p>',
            _choice(f"{track}-figure", {f"{track}-score": "Score", f"{track}-as": AS_PUBLISHED}),
            _panel(f"{track}-figure", f"{track}-score", _group_table(rows, used, name, _score)),
            _panel(f"{track}-figure", f"{track}-as", _group_table(rows, used, name, _as_published)),
        ]
    else:
        parts.append(f'<p class="soft">{NO_GROUP}</p>')
    return "\n".join([*parts, "<h2>Datasets</h2>", *_datasets(board, datasets, track, name)])


def _datasets(
    board: Leaderboard, rows: Sequence[DatasetRow], track: str, name: _Namer
) -> list[str]:
    used = [d for d in board.suite.datasets if any(row.dataset == d for row in rows)]
    views = {f"{track}-raw": "Raw", f"{track}-normalised": "Normalised", f"{track}-plot": "Drawn"}
    sets, plots = f"{track}-scale", f"{track}-dataset"
    drawn = [_choice(plots, {dataset: dataset for dataset in used})]
    drawn += [_panel(plots, dataset, _dataset_plot(board, rows, dataset, name)) for dataset in used]
    return [
        _choice(sets, views),
        _panel(sets, f"{track}-raw", _dataset_table(used, rows, name, _raw)),
        _panel(sets, f"{track}-normalised", _dataset_table(used, rows, name, _normalised)),
        _panel(sets, f"{track}-plot", "\n".join(drawn)),
    ]


def _dataset_plot(
    board: Leaderboard, rows: Sequence[DatasetRow], dataset: str, name: _Namer
) -> str:
    """Raw means with Student's intervals."""
    declared = board.suite.datasets[dataset]
    sign = -1 if declared.direction == "max" else 1
    own = sorted((r for r in rows if r.dataset == dataset), key=lambda row: sign * row.mean)
    drawn = [
        Drawn(
            name(row.backbone, row.published),
            row.mean,
            row.sem,
            row.mean_low,
            row.mean_high,
            1 + sum(sign * other.mean < sign * row.mean for other in own),
        )
        for row in own
    ]
    told = (
        f"{declared.metric}: {declared.meaning}. "
        "Mean over seeds, ± its standard error, with Student's 95 % interval as far as the metric "
        "goes."
    )
    parts = [
        f'<p class="soft">{escape(told)}</p>',
        f'<div class="card">{interval_plot(drawn, 4)}</div>',
    ]
    sampled = [
        Drawn(
            name(row.backbone, row.published), row.mean, None, row.sample_low, row.sample_high, rank
        )
        for row, rank in ((row, one.rank) for row, one in zip(own, drawn, strict=True))
        if row.sample_low is not None
    ]
    if sampled:
        parts.append('<p class="soft">The same means, with 95 % intervals over test samples.</p>')
        parts.append(f'<div class="card">{interval_plot(sampled, 4)}</div>')
    return "\n".join(parts)


_Namer = Callable[[str, bool], str]


def _namer(board: Leaderboard) -> _Namer:
    entries = {entry.label: entry for entry in board.entries}

    def name(label: str, published: bool) -> str:
        entry = entries[label]
        shown = board.suite.shown(entry.backbone)
        extra = label[len(entry.backbone) :].strip()
        mark = '<span class="mark" title="published baseline">published</span>' if published else ""
        rest = f' <span class="of">{escape(extra)}</span>' if extra else ""
        return f'<span title="{escape(label)}">{escape(shown)}{mark}{rest}</span>'

    return name


def _group(
    board: Leaderboard, rows: Sequence[GroupRow], track: str, group: str, name: _Namer
) -> str:
    own = [row for row in rows if row.group == group]
    ranked = sorted((row for row in own if row.value is not None), key=lambda r: -(r.value or 0))
    gaps = [row for row in own if row.value is None]
    members = ", ".join(board.suite.groups[group])
    drawn = [
        Drawn(
            name(row.backbone, row.published),
            row.value or 0.0,
            row.error,
            row.low,
            row.high,
            row.rank or 0,
            row.rank_low,
            row.rank_high,
        )
        for row in ranked
    ]
    parts = [
        f'<p class="soft">{escape(members)}</p>',
        f'<div class="card">{interval_plot(drawn, 1, (0.0, 100.0))}</div>',
    ]
    if gaps:
        told = "; ".join(f"{escape(r.backbone)} lacks {escape(', '.join(r.missing))}" for r in gaps)
        parts.append(f'<p class="note">Without a score: {told}.</p>')
    for one in board.findings:
        if (one.track, one.group) == (track, group):
            parts.append(_findings(one, name))
    return "\n".join(parts)


def _findings(one: GroupFindings, name: _Namer) -> str:
    alike = "".join(
        f"<li>{', '.join(name(label, False) for label in labels)}</li>" for labels in one.alike
    )
    told = f'<ol class="alike">{alike}</ol>' if alike else "<p>Every pair differs.</p>"
    parts = ['<div class="two"><div class="card"><h3>Cannot be told apart</h3>', told]
    if one.friedman is not None:
        p = one.friedman.p
        chance = "" if p is None else f" Friedman: p = {p:.2g}."
        parts.append(
            f'<p class="soft">Over datasets, average ranks differ from '
            f"{one.friedman.difference:.1f} on (critical difference).{chance}</p>"
        )
    parts.append("</div>")
    if one.spread:
        parts.append(
            '<div class="card"><h3>Share of the spread between backbones</h3>'
            f"{share_bars({label: part.share for label, part in one.spread.items()})}</div>"
        )
    parts.append("</div>")
    return "\n".join(parts)


def _group_table(
    rows: Sequence[GroupRow],
    used: Sequence[str],
    name: _Namer,
    cell: Callable[[GroupRow | None], str],
) -> str:
    cells = {(row.backbone, row.group): row for row in rows}
    published = {row.backbone: row.published for row in rows}
    lines = [
        (name(label, published[label]), label, [cell(cells.get((label, g))) for g in used])
        for label in order(rows)
    ]
    return _table(used, lines)


def _score(row: GroupRow | None) -> str:
    if row is None or row.value is None:
        return _gap(row)
    small = _ends(row.low, row.high, ".0f") or f"<small>{NOT_KNOWN}</small>"
    return _heat(row.value, f"{row.value:.1f}", small, row.value / 100)


def _as_published(row: GroupRow | None) -> str:
    if row is None or row.published_value is None:
        return _gap(row)
    error = DASH if row.published_error is None else f"{row.published_error:.2f}"
    small = f"<small>± {error}</small>"
    value = row.published_value
    return _heat(value, f"{value:.1f}", small, value / 100)


def _gap(row: GroupRow | None) -> str:
    lacks = f' title="lacks {escape(", ".join(row.missing))}"' if row is not None else ""
    return f'<td class="gap"{lacks}>{DASH}</td>'


def _dataset_table(
    used: Sequence[str],
    rows: Sequence[DatasetRow],
    name: _Namer,
    cell: Callable[[DatasetRow], str],
) -> str:
    cells = {(row.backbone, row.dataset): cell(row) for row in rows}
    published = {row.backbone: row.published for row in rows}
    gap = f'<td class="gap">{DASH}</td>'
    lines = [
        (name(label, published[label]), label, [cells.get((label, d), gap) for d in used])
        for label in sorted(published)
    ]
    return _table(used, lines)


def _raw(row: DatasetRow) -> str:
    shade = 0.0 if row.value is None else row.value / 100
    ends = _ends(row.mean_low, row.mean_high, ".3f") or _no_ends(row)
    if row.sample_low is not None:
        ends += _ends(row.sample_low, row.sample_high, ".3f", "samples ")
    return _heat(row.mean, f"{row.mean:.4f}", ends, shade)


def _normalised(row: DatasetRow) -> str:
    if row.value is None:
        return f'<td class="gap">{DASH}</td>'
    small = _ends(row.low, row.high, ".0f") or _no_ends(row)
    return _heat(row.value, f"{row.value:.1f}", small, row.value / 100)


def _no_ends(row: DatasetRow) -> str:
    """Why a row has no interval over seeds."""
    return f"<small>{'one seed' if row.n == 1 else f'{row.n} equal seeds'}</small>"


def _ends(low: float | None, high: float | None, form: str, kind: str = "") -> str:
    if low is None or high is None:
        return ""
    return f"<small>{kind}{format(low, form)} to {format(high, form)}</small>"


def _heat(key: float, text: str, small: str, shade: float) -> str:
    shade = min(max(shade, 0.0), 1.0)
    return f'<td class="heat" data-sort="{key!r}" style="--v:{shade:.3f}">{text}{small}</td>'


def _table(heads: Iterable[str], lines: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    columns = "".join(
        f'<th scope="col"><button type="button">{escape(head)}</button></th>'
        for head in ("Backbone", *heads)
    )
    body = "\n".join(
        f'<tr><th scope="row" class="backbone" data-sort="{escape(key)}">{shown}</th>'
        f"{''.join(cells)}</tr>"
        for shown, key, cells in lines
    )
    return (
        f'<div class="card scroll"><table><thead><tr>{columns}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _choice(name: str, options: Mapping[str, str]) -> str:
    buttons = "".join(
        f'<button type="button" value="{escape(key)}">{escape(text)}</button>'
        for key, text in options.items()
    )
    many = " many" if len(options) > 4 else ""
    return f'<div class="choice{many}" data-for="{escape(name)}" hidden>{buttons}</div>'


def _panel(name: str, key: str, content: str) -> str:
    return f'<section data-set="{escape(name)}" data-panel="{escape(key)}">\n{content}\n</section>'
