"""Why a study lacks a picture."""

from __future__ import annotations

from pathlib import Path

from iterate.plots.trials import PlottedStudy
from iterate_core.plurals import counted

NOT_DRAWN = "not_drawn.txt"
_ENOUGH = 4  # finished trials from which importances are told


def write_reasons(study: PlottedStudy, absent: list[str], folder: Path) -> list[Path]:
    """Write why pictures are absent, a line each, beside those that are not.

    Returns:
        The file, if there is one: a study that lacks none has none.
    """
    path = folder / NOT_DRAWN
    if not absent:
        path.unlink(missing_ok=True)
        return []
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}: {why_absent(study, name)}\n" for name in absent]
    path.write_text("".join(lines), encoding="utf-8")
    return [path]


def why_absent(study: PlottedStudy, name: str) -> str:
    """Why a picture of a study was not drawn, in a sentence."""
    finished = len(study.complete)
    if name == "curves":
        return "no trial has reported an epoch."
    if not finished:
        return "no trial has finished."
    if not any(trial.params for trial in study.complete):
        return "nothing varies."
    if name == "importances" and finished < _ENOUGH:
        has = "has" if finished == 1 else "have"
        return (
            f"{counted(finished, 'trial')} {has} finished; importances are told from {_ENOUGH} on."
        )
    if name == "importances":
        alike = len({trial.value for trial in study.complete}) == 1
        hint = "all finished trials are equally good" if alike else "no trials stand out as better"
        return f"{hint}, or the trials share no parameter that varies: nothing tells what matters."
    return "no parameter took two values."
