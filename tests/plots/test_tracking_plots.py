"""The study's pictures say what its trials say, and are drawn whatever the trials are."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from rich.console import Console

from iterate.cli.views.tables import outcome
from iterate.plots import NOT_DRAWN, PlottedStudy, PlottedTrial, draw_plots
from iterate.plots.curves import draw_curves
from iterate.plots.history import draw_history
from iterate.plots.importances import draw_importances
from iterate.plots.parallel import draw_parallel
from iterate.plots.style import readable_range
from iterate.plots.trials import short_names
from iterate.run.session import RunResult


def _axes(figure: Figure | None) -> Axes:
    assert figure is not None
    (axes,) = figure.axes
    return axes


def _line(axes: Axes, label: str) -> tuple[list[Any], list[Any]]:
    (line,) = [line for line in axes.get_lines() if str(line.get_label()).startswith(label)]
    x, y = line.get_data()
    return list(x), list(y)


def _study(values: list[float], mode: Any = "max", **fields: Any) -> PlottedStudy:
    trials = tuple(
        PlottedTrial(
            n, {"model.lr": 10.0 ** -(n + 1)}, "COMPLETE", value, ((1, value / 2), (2, value))
        )
        for n, value in enumerate(values)
    )
    return PlottedStudy(
        **{"name": "s", "objective": "val/x", "mode": mode, "trials": trials} | fields
    )


@pytest.mark.parametrize("mode", ["max", "min"])
def test_history_shows_the_best_so_far(mode: str) -> None:
    values = [0.5, 0.7, 0.6, 0.4, 0.8]
    axes = _axes(draw_history(_study(values, mode)))
    accumulate = np.maximum.accumulate if mode == "max" else np.minimum.accumulate
    _, steps = _line(axes, "best so far")
    assert steps == pytest.approx([*accumulate(values), accumulate(values)[-1]])
    assert _line(axes, "complete") == ([0, 1, 2, 3, 4], values)
    best = 4 if mode == "max" else 3
    assert _line(axes, f"best: trial {best}") == ([best], [values[best]])


def test_history_tells_pruned_and_failed_apart() -> None:
    trials = (
        PlottedTrial(0, {}, "COMPLETE", 0.5),
        PlottedTrial(1, {}, "PRUNED", None, ((1, 0.1), (2, 0.45), (3, float("nan")))),
        PlottedTrial(2, {}, "FAIL", None, ((1, float("nan")),)),
    )
    axes = _axes(draw_history(_study([], trials=trials)))
    assert _line(axes, "pruned") == ([1], [0.45])
    assert _line(axes, "failed")[0] == [2]


def test_the_legend_of_a_history_with_every_mark_is_whole() -> None:
    trials = (
        PlottedTrial(0, {}, "COMPLETE", 0.5),
        PlottedTrial(1, {}, "COMPLETE", 0.9),
        PlottedTrial(2, {}, "PRUNED", 0.4, ((1, 0.4),)),
        PlottedTrial(3, {}, "FAIL", None),
    )
    figure = draw_history(_study([], trials=trials))
    legend = _axes(figure).get_legend()
    assert figure is not None
    assert legend is not None
    assert len(legend.get_texts()) == 5
    figure.canvas.draw()
    place, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= place.x0 < place.x1 <= whole.x1
    assert whole.y0 <= place.y0 < place.y1 <= whole.y1
    assert _axes(figure).get_position().width > 0.8


def test_one_diverged_trial_does_not_flatten_the_others() -> None:
    values = [0.50, 0.52, 0.51, 0.53, 0.54, 9e9]
    low, high = readable_range(values, "min")
    assert low == 0.50
    assert 0.54 <= high < 0.7
    axes = _axes(draw_history(_study(values, "min")))
    assert axes.get_ylim()[1] < 0.7
    assert _line(axes, "complete")[1][-1] == pytest.approx(high)
    assert "1 trial is higher than this axis" in {t.get_text()[:32] for t in axes.texts}


def test_curves_are_the_reported_ones() -> None:
    axes = _axes(draw_curves(_study([0.5, 0.7])))
    assert _line(axes, "best: trial 1") == ([1, 2], [0.35, 0.7])
    drawn = [list(line.get_ydata()) for line in axes.get_lines()]
    assert [0.25, 0.5] in drawn


def test_importances_are_ranked() -> None:
    shares = {"optimiser.lr": 0.7, "data.batch_size": 0.1, "model.decoder": 0.2}
    axes = _axes(draw_importances(_study([0.5], importances=shares)))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["batch_size", "decoder", "lr"]  # the lowest bar first
    assert [bar.get_width() for bar in axes.patches] == [0.1, 0.2, 0.7]


def test_parallel_coordinates_never_claim_an_inactive_value() -> None:
    trials = (
        PlottedTrial(0, {"lr": 1e-4, "decoder": "unet", "decoder.width": 64}, "COMPLETE", 0.5),
        PlottedTrial(1, {"lr": 1e-3, "decoder": "linear"}, "COMPLETE", 0.6),
        PlottedTrial(2, {"lr": 1e-2, "decoder": "unet", "decoder.width": 128}, "COMPLETE", 0.7),
    )
    shares = {"lr": 0.5, "decoder": 0.3, "decoder.width": 0.2}
    study = _study([], trials=trials, importances=shares, log={"lr"})
    axes = _axes(draw_parallel(study))
    lines = set()
    for patch in axes.patches:
        assert isinstance(patch, PathPatch)
        heights = patch.get_path().vertices[::3, 1]
        lines.add(tuple(round(float(height), 6) for height in heights))
    # lr on a logarithmic axis, decoder by category, width, objective; in order of importance.
    assert lines == {(0, 1, 0, 0), (0.5, 0, -0.16, 0.5), (1, 1, 1, 1)}
    assert "not used" in {text.get_text() for text in axes.texts}


def test_nothing_to_show_draws_nothing(tmp_path: Path) -> None:
    said = [tmp_path / NOT_DRAWN]
    assert draw_plots(_study([]), tmp_path) == said
    failed = (PlottedTrial(0, {"lr": 1.0}, "FAIL", None),)
    assert draw_plots(_study([], trials=failed), tmp_path) == said
    assert list(tmp_path.iterdir()) == said


def _labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_choice_of_numbers_has_an_axis_of_its_own_values() -> None:
    trials = tuple(
        PlottedTrial(number, {"a.size": size}, "COMPLETE", 0.5 + number / 10)
        for number, size in enumerate((32, 16, 48))
    )
    labels = _labels(_axes(draw_parallel(_study([], trials=trials, choices={"a.size"}))))
    assert [label for label in labels if label.isdigit()] == ["16", "32", "48"]


def test_both_ends_of_a_logarithmic_axis_are_labelled() -> None:
    trials = tuple(
        PlottedTrial(number, {"lr": lr}, "COMPLETE", 0.5 + number / 10)
        for number, lr in enumerate((2.3e-5, 1e-3, 7.7e-3))
    )
    labels = _labels(_axes(draw_parallel(_study([], trials=trials, log={"lr"}))))
    assert {"2.3e-05", "0.001", "0.0077"} <= set(labels)


def test_a_pruned_trial_reaches_the_objective_at_its_best_epoch() -> None:
    trials = (
        PlottedTrial(0, {"lr": 0.1}, "COMPLETE", 0.5),
        PlottedTrial(1, {"lr": 0.2}, "COMPLETE", 0.9),
        PlottedTrial(2, {"lr": 0.3}, "PRUNED", 0.7, ((1, 0.7), (2, 0.6))),
    )
    axes = _axes(draw_parallel(_study([], trials=trials)))
    lines = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    (dotted,) = [line for line in lines if isinstance(line.get_linestyle(), tuple)]
    ends = sorted(line.get_path().vertices[-1][1] for line in lines)
    assert dotted.get_path().vertices[-1][0] == 1
    assert ends[0] < dotted.get_path().vertices[-1][1] < ends[-1]


@pytest.mark.parametrize(
    ("values", "picture", "reason"),
    [
        ([], "curves", "no trial has reported an epoch"),
        ([], "history", "no trial has finished"),
        ([0.5], "importances", "1 trial has finished; importances are told from 4 on"),
        ([0.5, 0.7], "importances", "2 trials have finished; importances are told from 4 on"),
        ([0.5] * 6, "importances", "all finished trials are equally good"),
        ([0.1, 0.2, 0.3, 0.4], "importances", "no trials stand out as better"),
    ],
)
def test_an_absent_picture_says_why(
    values: list[float], picture: str, reason: str, tmp_path: Path
) -> None:
    draw_plots(_study(values, importances={}), tmp_path)
    lines = (tmp_path / NOT_DRAWN).read_text().splitlines()
    assert any(line.startswith(f"{picture}: {reason}") for line in lines)
    draw_plots(_study([0.5, 0.7], importances={"model.lr": 1.0}), tmp_path)
    assert not (tmp_path / NOT_DRAWN).exists()


def test_the_end_of_a_run_says_why_too(tmp_path: Path) -> None:
    draw_plots(_study([0.5] * 6, importances={}), tmp_path / "plots")
    times = {"wall_seconds": 1.0, "train_seconds": 1.0, "worker_seconds": 1.0}
    result = RunResult({"studies": [], **times}, tmp_path, {}, None)
    console = Console(width=200)
    with console.capture() as told:
        console.print(outcome(result))
    assert "no plot    importances: all finished trials are equally good" in told.get()


def test_the_files_are_pictures(tmp_path: Path) -> None:
    paths = draw_plots(_study([0.5, 0.7], importances={"model.lr": 1.0}), tmp_path / "plots")
    names = ["history.png", "importances.png", "parallel.png", "curves.png"]
    assert [path.name for path in paths] == names
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_short_names() -> None:
    names = ["optimiser.lr", "model.decoder.width", "model.neck.width", "model", "a.model"]
    assert short_names(["model/decoder", "lr"]) == {"model/decoder": "decoder", "lr": "lr"}
    assert short_names(names) == {
        "optimiser.lr": "lr",
        "model.decoder.width": "decoder.width",
        "model.neck.width": "neck.width",
        "model": "model",
        "a.model": "a.model",
    }


_VALUES = st.one_of(
    st.floats(allow_nan=False, width=32),
    st.integers(-5, 5),
    st.booleans(),
    st.text("a$_.{}", max_size=9),
)
_TRIALS = st.builds(
    PlottedTrial,
    number=st.just(0),
    params=st.dictionaries(st.sampled_from(["a.x", "b.x", "c", "$d"]), _VALUES),
    state=st.sampled_from(["COMPLETE", "PRUNED", "FAIL", "RUNNING"]),
    value=st.one_of(st.none(), st.floats(width=32)),
    curve=st.lists(st.floats(width=32), max_size=3).map(lambda v: tuple(enumerate(v, start=1))),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trials=st.lists(_TRIALS, max_size=5), mode=st.sampled_from(["max", "min"]))
def test_whatever_the_trials_are_it_is_drawn(
    trials: list[PlottedTrial], mode: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    numbered = tuple(
        PlottedTrial(n, t.params, t.state, t.value, t.curve)
        for n, t in zip(itertools.count(), trials)
    )
    study = _study([], mode, trials=numbered, log={"a.x"}, importances={"c": 0.0})
    written = draw_plots(study, tmp_path_factory.mktemp("plots"))
    assert (any(path.name == "history.png" for path in written)) == any(
        trial.shown is not None for trial in numbered
    )
