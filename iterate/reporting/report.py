"""The report: what it shows is prepared in ``sections``; how it looks is in ``page``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from iterate.pages.template import render
from iterate.reporting.advice.evidence import advice_of
from iterate.reporting.sections import comparison, cost, scores, trials
from iterate.reporting.sections.predictions import Looked, Unseen, look
from iterate.reporting.studied import Studied, read_runs
from iterate_core.errors import Problem, RequestError
from iterate_core.storage.files import replacing

_HERE = "iterate.reporting.page"
FILE = "report.html"
"""In a run's folder, unless another file is named."""

Watch = Callable[[str, int, int], None]
Note = Callable[[str], None]
_log = logging.getLogger(__name__)


def write_report(
    runs: Sequence[Path],
    out: Path | None = None,
    *,
    predict: bool | None = None,
    watch: Watch | None = None,
    note: Note | None = None,
) -> Path:
    """Write the report of a run, or the comparison of several.

    Args:
        runs: Their folders, or those of single studies in them.
        out: The file; None is ``report.html`` in the run's folder, of several in the first one's.
        predict: Whether test splits are predicted, for pictures and calibration; None predicts
            where there is one study.
        watch: Told the study, how many of its test samples are predicted, and how many there are.
        note: Told what the page leaves out, and why; None logs it.

    Returns:
        The file.

    Raises:
        RequestError: A folder is no finished run, or the file cannot be written.
    """
    studies, twice = read_runs(runs)
    for one in twice:
        (note or _logged)(f"{one} was named more than once, and is on the page once.")
    file = out or runs[0] / FILE
    wanted = len(studies) == 1 if predict is None else predict
    text = page_of(studies, predict=wanted, watch=watch, note=note or _logged)
    try:
        with replacing(file) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"cannot be written ({error.strerror})."
        raise RequestError(Problem(str(file), what, "Name another with --out.")) from None
    return file


def _logged(text: str) -> None:
    _log.warning("%s", text)


def page_of(
    studies: Sequence[Studied], *, predict: bool, watch: Watch | None = None, note: Note = _logged
) -> str:
    """The whole page of some studies."""
    shown = {f"s{number}": _shown(one, predict, watch, note) for number, one in enumerate(studies)}
    several = len(studies) > 1
    return render(
        _HERE,
        "report.html.j2",
        studies=shown,
        several=several,
        title=studies[0].label if not several else f"{len(studies)} studies compared",
        overview=comparison.overview(studies) if several else [],
        overview_heads=comparison.HEADS,
        questions=comparison.questions(studies) if several else [],
        lonely=comparison.lonely(studies) if several else [],
        difference_heads=comparison.DIFFERENCE_HEADS,
    )


def _shown(study: Studied, predict: bool, watch: Watch | None, note: Note) -> dict[str, Any]:
    looked: Looked | Unseen = Unseen("This page was asked for without predictions.")
    if predict:
        told = None if watch is None else lambda done, of: watch(study.label, done, of)
        looked = look(study, told)
    unseen = looked if isinstance(looked, Unseen) else None
    there = looked if isinstance(looked, Looked) else None
    if unseen is not None and unseen.here:
        note(f"{study.label}: {unseen.here}")
    figure, meaning = scores.headline(study)
    class_heads, class_rows = scores.class_table(study)
    trial_heads, trial_rows = trials.trial_table(study)
    ranked, no_importances = trials.importances(study)
    return {
        "title": study.label,
        "key": study.label,
        "figure": figure,
        "meaning": meaning,
        "failure": study.told.get("failure") or "",
        "question": scores.question(study),
        "answer": scores.answer(study),
        "score_rows": scores.score_rows(study),
        "advice": advice_of(study, None if there is None else there.reliability),
        "class_heads": class_heads,
        "class_rows": class_rows,
        "repeats": len(study.tested),
        "confusion": scores.confusion(study),
        "charts": trials.charts(study),
        "repeat_curves": trials.repeat_curves(study),
        "importances": ranked,
        "no_importances": no_importances,
        "trial_heads": trial_heads,
        "trial_rows": trial_rows,
        "looked": there,
        "not_looked": "" if unseen is None else unseen.page,
        "cost": cost.cost(study),
        "made_with": cost.made_with(study),
    }
