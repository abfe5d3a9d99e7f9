"""Finds the trained models that a path names: of a run, a study, a trial, a repeat, an export.

Reads small files alone: no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from safetensors import SafetensorError, safe_open

from iterate_core.engine.reports import BEST
from iterate_core.engine.reports import MODEL_FILE as MODEL_FILE
from iterate_core.errors import Problem, RequestError
from iterate_core.hub.repositories import fetch_model, is_hub_uri

SUMMARY_FILE = "summary.json"
_NEEDED = (MODEL_FILE, "model.safetensors", "SHA256SUMS")
_GRAPHS = (".onnx", ".onnx.data", ".pt2")  # of an exported model; nothing here reads them
_KINDS = ("repeats", "trials")
_SHOWN = 12


@dataclass(frozen=True)
class Found:
    """What a path names.

    Attributes:
        folder: The model: of a study its repeat that was best on validation, or if it has none its
            best trial.
        repeats: All repeats of the study's best point, that one first; else that folder alone.
        study: The folder of the study that it is of; None where it stands by itself.
        summary: What the run's ``summary.json`` says of that study; None where nothing does.
        missing: Weights of repeats of the best point that should be there, and are not.
        named: Whether the path is of that model itself, and not of the study that it is of.
    """

    folder: Path
    repeats: tuple[Path, ...]
    study: Path | None = None
    summary: dict[str, Any] | None = None
    missing: tuple[Path, ...] = ()
    named: bool = False


def find_model(named: str | Path) -> Found:
    """The model that a path names.

    Args:
        named: A run's or a study's folder, or that of a trial, a repeat, ``iterate fit`` or an
            exported model; or ``hf://OWNER/NAME``, an exported model on a hub.

    Raises:
        RequestError: It names none, or a run of several studies.
    """
    path = fetch_model(str(named), _NEEDED, _GRAPHS) if is_hub_uri(str(named)) else Path(named)
    if not path.is_dir():
        what = "there is no such folder." if not path.exists() else "is no folder."
        hint = "Name the folder of a run, a trial, a repeat, a fit or an exported model."
        if path.is_file() and (path.parent / MODEL_FILE).is_file():
            hint = f"Name the folder that it is in: {path.parent}"
        raise RequestError(Problem(str(path), what, hint))
    if (path / MODEL_FILE).is_file():
        study = path.resolve().parents[1] if path.resolve().parent.name in _KINDS else None
        summary = None if study is None else _summary(study)
        return Found(path, (path,), study, summary, named=True)
    if not any((path / kind).is_dir() for kind in _KINDS):
        _refuse(path)
    summary = _summary(path)
    listed = tuple(_repeats(path, summary))
    missing = tuple(folder / BEST for folder in listed if not _whole(folder))
    repeats = _best_first(listed)
    if repeats:
        return Found(repeats[0], repeats, path, summary, missing)
    best = _best_trial(path, summary)
    return Found(best, (best,), path, summary, missing)


def value_of(folder: Path) -> float | None:
    """What a training's best epoch came to on validation; None if its file does not tell."""
    try:
        with safe_open(folder / BEST, framework="numpy") as file:
            return float((file.metadata() or {})["value"])
    except (OSError, SafetensorError, ValueError, KeyError):
        return None


def _repeats(study: Path, summary: dict[str, Any] | None) -> Iterable[Path]:
    """The repeats of the best point; without a summary, all there are."""
    if summary is None:
        return sorted(path.parent for path in study.glob(f"repeats/*/{MODEL_FILE}"))
    rows = [row for row in summary.get("repeats", ()) if "failure" not in row]
    return [study / row["folder"] for row in rows if "folder" in row]


def _best_trial(study: Path, summary: dict[str, Any] | None) -> Path:
    best = (summary or {}).get("best")
    if best is not None and _whole(named := study / "trials" / f"{best['number']:04d}"):
        return named
    trials = _best_first(sorted(study.glob("trials/*")))
    if not trials:
        what = "holds no trained model: no trial or repeat in it has finished an epoch."
        earlier = any(study.glob(f"*/*/{BEST}"))
        if earlier:
            what = f"was trained by an earlier version, which wrote no {MODEL_FILE}."
        raise RequestError(Problem(str(study), what, "Train anew." if earlier else None))
    return trials[0]


def _best_first(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Those that hold a model, the best on validation first."""
    valued = [(folder, value_of(folder)) for folder in folders if _whole(folder)]
    if not valued:
        return ()
    sign = -1.0 if _mode(valued[0][0]) == "max" else 1.0
    ordered = sorted(valued, key=lambda pair: (pair[1] is None, sign * (pair[1] or 0.0)))
    return tuple(folder for folder, _ in ordered)


def _whole(folder: Path) -> bool:
    return (folder / MODEL_FILE).is_file() and (folder / BEST).is_file()


def _mode(folder: Path) -> str:
    found = _json(folder / MODEL_FILE)
    mode = (found or {}).get("recipe", {}).get("objective", {}).get("mode")
    return "max" if mode is None else str(mode)


def _summary(study: Path) -> dict[str, Any] | None:
    """What is said of a study: in its own folder, or above that of one among several."""
    for folder in (study, *study.resolve().parents[:3]):
        studies = (_json(folder / SUMMARY_FILE) or {}).get("studies")
        if not studies:
            continue
        if folder == study:
            return dict(studies[0]) if len(studies) == 1 else None
        name = study.resolve().relative_to(folder).as_posix()
        return next((dict(one) for one in studies if one.get("name") == name), None)
    return None


def _json(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    return None


def _refuse(path: Path) -> NoReturn:
    """Say why a folder names no one model.

    Raises:
        RequestError: Always.
    """
    if studies := studies_below(path):
        raise RequestError(holds_several(path, studies))
    if (path / BEST).is_file():
        what = f"was trained by an earlier version, which wrote no {MODEL_FILE}."
        raise RequestError(Problem(str(path), what, "Train anew."))
    what = "holds no trained model."
    hint = "Name the folder of a run, a trial, a repeat, a fit or an exported model."
    raise RequestError(Problem(str(path), what, hint))


def holds_several(path: Path, studies: Sequence[Path]) -> Problem:
    """That a folder is none of the runs or studies that lie in it."""
    names = [study.relative_to(path).as_posix() for study in studies]
    more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    told = ", ".join(names[:_SHOWN]) + more
    what = f"holds several runs or studies: {told}."
    if (path / SUMMARY_FILE).is_file():
        what = f"is a run of several studies, each with a model of its own: {told}."
    return Problem(str(path), what, f"Name one of them: {studies[0]}")


def studies_below(path: Path) -> Sequence[Path]:
    """The folders below one, at most three deep, that hold trials."""
    found = {
        each.parent for depth in ("*", "*/*", "*/*/*") for each in path.glob(f"{depth}/trials")
    }
    return sorted(found)
