"""The submission folder of the GEO-Bench-2 leaderboard: its rules, a checker and a writer.

Two files: one row a (backbone, dataset, seed) with all that was chosen, and what people should
know. The rules are those of the leaderboard's own check, for each backbone where that is lax.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iterate.bench.leaderboard.csv_table import finite, nearest_column, place, table, whole
from iterate.bench.leaderboard.portion import read_portion
from iterate.bench.leaderboard.results_csv import REAL, RESULTS_FILE, TEXT, WHOLE, results_text
from iterate.bench.suites.suite import Suite
from iterate_core.errors import DataError, Problem, RequestError, nearest

INFO_FILE = "additional_info.json"
FOLDER = "new_submission"

# Without early stopping there is no patience; published submissions leave it empty, too.
_MAY_BE_EMPTY = "early_stop_patience"
_TRACK = "frozen_or_full_ft"
_PORTION = "partition name"

# The trailing space of the second is the leaderboard's.
INFO_TEXT = (
    "Paper Link",
    "Code Repository Link ",
    "License",
    "Number of HPO trials",
    "Additional information about submission",
    "Comments on new models in submission",
)
INFO_MODELS = "New model info"
MODEL_KEYS = ("model_display_name", "model_size", "unique_backbone_key")


def write_submission(
    rows: Sequence[Mapping[str, Any]],
    info: Mapping[str, Any],
    out: Path,
    suite: Suite,
) -> Path:
    """Write ``out/new_submission`` with its two files, if and only if they are valid.

    Args:
        rows: By the leaderboard's column names; other columns are dropped.
        info: The content of ``additional_info.json``.
        out: The folder to make it in.
        suite: The benchmark.

    Raises:
        RequestError: Something is wrong with the submission (everything that is), or the folder
            exists already.
    """
    target = out / FOLDER
    if target.exists():
        raise RequestError(Problem(str(target), "exists already.", "Name another folder."))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=f".{FOLDER}.") as scratch:
        draft = Path(scratch) / FOLDER
        draft.mkdir()
        (draft / RESULTS_FILE).write_text(results_text(rows), encoding="utf-8", newline="")
        text = json.dumps(dict(info), indent=2, ensure_ascii=False) + "\n"
        (draft / INFO_FILE).write_text(text, encoding="utf-8")
        problems = check_submission(draft, suite)
        if problems:
            inside = f"{draft}/"
            raise RequestError(
                [Problem(p.where.replace(inside, ""), p.what, p.hint) for p in problems]
            )
        shutil.move(draft, target)
    return target


def check_submission(folder: Path, suite: Suite) -> list[Problem]:
    """Everything that is wrong with a submission folder; nothing: the leaderboard will take it."""
    if not suite.submission:
        return [Problem("--suite", f"{suite.name} has no submission format.")]
    if not folder.is_dir():
        return [Problem(str(folder), "is no folder.")]
    names = {path.name for path in folder.iterdir()}
    wanted = {RESULTS_FILE, INFO_FILE}
    problems = [Problem(str(folder), f"lacks the file {name}.") for name in sorted(wanted - names)]
    problems += [
        Problem(str(folder), f"must hold two files only, not {name}.")
        for name in sorted(names - wanted)
    ]
    if RESULTS_FILE in names:
        problems += _check_results(folder / RESULTS_FILE, suite)
    if INFO_FILE in names:
        problems += _check_info(folder / INFO_FILE)
    return problems


def _check_results(path: Path, suite: Suite) -> list[Problem]:
    try:
        header, lines, _ = table(path)
    except DataError as error:
        return list(error.problems)
    rows = [(number, row) for number, row in enumerate(lines, start=2) if row]
    missing = [name for name in (*TEXT, *WHOLE, *REAL) if name not in header]
    problems = [
        Problem(str(path), f"has no column {name!r}.", nearest_column(name, header))
        for name in missing
    ]
    if not rows:
        return [*problems, Problem(str(path), "holds no results.")]
    for name in header:
        if name in TEXT:
            problems += _check_text(path, name, rows)
        elif name in (*WHOLE, *REAL):
            problems += _check_numbers(path, name, rows)
    problems += _check_words(path, rows, suite)
    if not {"backbone", "dataset"} & set(missing):
        problems += _check_cells(path, rows, suite)
        if "Seed" in header:
            problems += _check_seeds(path, rows, suite)
    return problems


_Rows = list[tuple[int, dict[str, str]]]


def _check_text(path: Path, name: str, rows: _Rows) -> list[Problem]:
    empty = [number for number, row in rows if not row[name].strip()]
    problems = [Problem(place(path, number, name), "must not be empty.") for number in empty]
    if name == "backbone":
        padded = [number for number, row in rows if row[name] != row[name].strip() != ""]
        what = "must not begin or end in a blank."
        problems += [Problem(place(path, number, name), what) for number in padded]
    if not empty and all(finite(row[name]) is not None for _, row in rows):
        what = "must be text, but holds numbers only, which the leaderboard reads as such."
        problems.append(Problem(f"{path}, column {name!r}", what))
    return problems


def _check_numbers(path: Path, name: str, rows: _Rows) -> list[Problem]:
    kind, read = ("a whole number", whole) if name in WHOLE else ("a finite number", finite)
    return [
        Problem(place(path, number, name), f"must be {kind}, but is {row[name]!r}.")
        for number, row in rows
        if read(row[name]) is None and not (name == _MAY_BE_EMPTY and row[name] == "")
    ]


def _check_words(path: Path, rows: _Rows, suite: Suite) -> list[Problem]:
    """Datasets, metrics, tracks and splits that are none of the suite's."""
    problems = []
    for number, row in rows:
        dataset = suite.datasets.get(row.get("dataset", ""))
        if dataset is None and row.get("dataset"):
            what = f"{row['dataset']!r} is no dataset of {suite.name}."
            hint = nearest(row["dataset"], suite.datasets)
            problems.append(Problem(place(path, number, "dataset"), what, hint))
        if dataset is not None and row.get("Metric", dataset.metric) != dataset.metric:
            what = f"is {row['Metric']!r}, but {row['dataset']} is ranked by {dataset.metric!r}."
            problems.append(Problem(place(path, number, "Metric"), what))
        if row.get(_TRACK) and row[_TRACK] not in suite.tracks:
            hint = f"Legal: {', '.join(suite.tracks)}."
            what = f"{row[_TRACK]!r} is no track."
            problems.append(Problem(place(path, number, _TRACK), what, hint))
        portion = read_portion(row.get(_PORTION, ""))
        if portion is not None and portion.blocks is not None:
            what = f"is of {portion.blocks.told}, not of the published ones."
            problems.append(Problem(place(path, number, _PORTION), what))
    tracks = {row[_TRACK] for _, row in rows if row.get(_TRACK) in suite.tracks}
    if len(tracks) > 1:
        what = f"mixes the tracks {', '.join(sorted(tracks))}; a submission has one."
        problems.append(Problem(f"{path}, column {_TRACK!r}", what))
    return problems


def _check_cells(path: Path, rows: _Rows, suite: Suite) -> list[Problem]:
    """Rows of each backbone and dataset, and the groups of each backbone."""
    cells = Counter((row["backbone"], row["dataset"]) for _, row in rows)
    problems = [
        Problem(str(path), f"{backbone} on {dataset} has {count} rows; {suite.seeds} are needed.")
        for (backbone, dataset), count in cells.items()
        if suite.seeds is not None and count != suite.seeds
    ]
    for backbone in dict.fromkeys(backbone for backbone, _ in cells):
        own = {dataset for other, dataset in cells if other == backbone}
        lacks = {group: set(members) - own for group, members in suite.groups.items()}
        if all(lacks.values()):
            group = min(lacks, key=lambda name: len(lacks[name]))
            what = f"{backbone} completes no capability group."
            hint = f"Nearest is {group}, which lacks {', '.join(sorted(lacks[group]))}."
            problems.append(Problem(str(path), what, hint))
    return problems


def _check_seeds(path: Path, rows: _Rows, suite: Suite) -> list[Problem]:
    """Rows under one seed are one training told twice, or two of which one was chosen."""
    if suite.seeds is None:
        return []
    counts = Counter((row["backbone"], row["dataset"], whole(row["Seed"])) for _, row in rows)
    hint = f"{suite.seeds} different seeds are needed."
    return [
        Problem(str(path), f"{backbone} on {dataset} has seed {seed} {count} times.", hint)
        for (backbone, dataset, seed), count in counts.items()
        if count > 1 and seed is not None
    ]


def _check_info(path: Path) -> list[Problem]:
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        return [Problem(str(path), f"cannot be read as JSON: {error}.")]
    if not isinstance(info, dict):
        return [Problem(str(path), "must be an object of keys and values.")]
    problems = []
    for key in (*INFO_TEXT, INFO_MODELS):
        if key not in info:
            problems.append(Problem(str(path), f"lacks the key {key!r}.", nearest(key, info)))
        elif key in INFO_TEXT and not isinstance(info[key], str):
            problems.append(Problem(f"{path}, {key!r}", f"must be text, but is {info[key]!r}."))
    models = info.get(INFO_MODELS, [])
    if not isinstance(models, list):
        return [*problems, Problem(f"{path}, {INFO_MODELS!r}", "must be a list.")]
    for number, model in enumerate(models):
        if not isinstance(model, dict) or any(
            not isinstance(model.get(key), str) for key in MODEL_KEYS
        ):
            what = f"must have the texts {', '.join(MODEL_KEYS)}, but is {model!r}."
            problems.append(Problem(f"{path}, {INFO_MODELS!r}[{number}]", what))
    return problems
