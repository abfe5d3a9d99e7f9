"""A report shows what the run's summary says, in one file that needs no other."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from door_support import Command, commands
from report_support import summary_of

from iterate import load_recipe, report
from iterate.reporting.figures import count_text, estimate_text, number, seconds_text
from iterate.reporting.sections import predictions
from iterate.run.sample_intervals import over_samples
from iterate_core.engine.cost import epoch_flops, image_flops
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.recipe import Recipe

_FOREIGN = re.compile(r"(?:src|href)=(?!\"data:image/png;base64,)|url\(|@import", re.IGNORECASE)
HOSTILE = "</script><script>alert('x')</script>\x1b\u202e"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands(monkeypatch, capsys)


@pytest.fixture
def own_run(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "own"))


def rows_after(page: str, heading: str) -> list[list[str]]:
    """The texts of the first table after a heading."""
    table = page[page.index(heading) :]
    table = table[table.index("<tbody>") : table.index("</tbody>")]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in table.split("<tr>")]
    return [[unescape(re.sub(r"<[^>]*>", "", cell)) for cell in row] for row in cells if row]


def change(run: Path, **fields: Any) -> None:
    """Other fields for the only study of a run."""
    summary = summary_of(run)
    summary["studies"][0] |= fields
    (run / "summary.json").write_text(json.dumps(summary))


def test_its_numbers_are_those_of_the_summary(small_run: Path, small_page: Path) -> None:
    page, study = small_page.read_text(), summary_of(small_run)["studies"][0]
    scores = {row[0]: row[1:3] for row in rows_after(page, "<h2>Test scores</h2>")}
    assert list(scores) == list(study["test"])
    files = sorted(small_run.glob("repeats/*/test_samples.npz"))
    assert len(files) == 2
    for name, told in study["test"].items():
        assert scores[name][0] == estimate_text(told)
        found = over_samples(files, name)
        known = found is not None and found.low is not None
        expected = (
            f"{number(found.low)} to {number(found.high)}" if found and known else "not known"
        )
        assert scores[name][1] == expected
    assert number(study["best"]["value"]) in page
    assert f"<strong>{number(study['test']['accuracy']['mean'])}</strong>" in page
    trials = rows_after(page, "<h3>Trials</h3>")
    assert [row[0].removesuffix(" ★") for row in trials] == [
        str(one["number"]) for one in study["all_trials"]
    ]
    assert [row[2] for row in trials] == [number(one["value"]) for one in study["all_trials"]]
    classes = rows_after(page, "<h2>Scores by class</h2>")
    assert [row[0] for row in classes] == [one["name"] for one in study["test_classes"]]
    recalls = [one["recall"] for one in study["test_classes"]]
    assert [row[4] for row in classes] == ["–" if r is None else f"{r:.3f}" for r in recalls]


def test_confusion_is_summed_over_repeats(small_run: Path, small_page: Path) -> None:
    page, study = small_page.read_text(), summary_of(small_run)["studies"][0]
    first, second = (one["confusion"] for one in study["repeats"])
    told = re.findall(r"predicted [^:\"]*: ([\d,]+) of ([\d,]+)", page)
    sums = [
        a + b for one, two in zip(first, second, strict=True) for a, b in zip(one, two, strict=True)
    ]
    assert [int(count) for count, _ in told] == sums
    assert "summed over 2 repeats" in page


def test_it_needs_no_other_file(small_page: Path) -> None:
    page = small_page.read_text()
    assert not _FOREIGN.search(page)
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/png;base64,") >= 6
    assert re.findall(r"<img (?![^>]*alt=\"[^\"]+)", page) == []
    for heading in ("What to try next", "Predictions", "Calibration", "Search", "Cost"):
        assert f"<h2>{heading}</h2>" in page


def test_what_nobody_measured_is_said_to_be_so(small_page: Path) -> None:
    page = small_page.read_text()
    for what in ("Energy", "Peak memory"):
        assert f"<dt>{what}</dt><dd>not measured</dd>" in page


def test_foreign_text_is_no_markup(own_run: Path) -> None:
    study = summary_of(own_run)["studies"][0]
    classes = [one | {"name": HOSTILE} for one in study["test_classes"]]
    change(own_run, dataset=HOSTILE, backbone=HOSTILE, test_classes=classes, failure=HOSTILE)
    for file in own_run.glob("repeats/*/model.json"):
        described = json.loads(file.read_text())
        described["info"]["classes"] = [HOSTILE] * len(described["info"]["classes"])
        file.write_text(json.dumps(described))
    page = report(own_run, predict=False).read_text()
    assert page.count("<script>") == page.count("</script>") == 1
    assert "alert('x')" not in page
    assert page.count("&lt;/script&gt;&lt;script&gt;") > len(classes) + 3
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_pictures_can_be_left_out(small_run: Path, run: Command, tmp_path: Path) -> None:
    out = tmp_path / "deep/page.html"
    said = run("report", str(small_run), "--no-predict", "--out", str(out), "--json")
    assert (said.code, json.loads(said.out)) == (0, {"report": str(out)})
    page = out.read_text()
    assert "<img" not in page
    assert "Calibration" not in page
    assert "asked for without predictions" in page
    assert "<h2>Confusion</h2>" in page


def test_a_model_that_is_gone_is_said_to_be(own_run: Path, run: Command) -> None:
    for file in own_run.glob("repeats/*/best.safetensors"):
        file.unlink()
    said = run("report", str(own_run))
    assert said.code == 0
    assert f"{own_run}/repeats" in said.line.replace(" ", "")
    page = (own_run / "report.html").read_text()
    assert "<img" not in page
    assert "was not at hand, or cannot be read, so the test split is not predicted" in page
    assert str(own_run) not in page


def test_data_that_are_gone_are_said_to_be_without_their_path(
    own_run: Path, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(recipe: Recipe) -> Prepared:
        raise DataError(Problem("/private/data", "is not a folder.", "Set data.root to one."))

    monkeypatch.setattr(predictions, "prepare", gone)
    said = run("report", str(own_run))
    assert said.code == 0
    assert "note small: the test split could not be predicted" in said.line
    assert "private/data" in said.line
    page = (own_run / "report.html").read_text()
    assert "The training data were not at hand" in page
    assert "private" not in page
    assert "data.root" not in page


def test_a_run_whose_storage_is_elsewhere_has_a_report_too(own_run: Path) -> None:
    for file in own_run.glob("studies.db*"):
        file.unlink()
    page = report(own_run, predict=False).read_text()
    assert "Importances: the run keeps its storage elsewhere" in page
    assert "<h3>Trials</h3>" in page


def test_what_is_no_run_is_refused(small_run: Path, run: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = [str(tmp_path / "empty"), str(small_run), str(tmp_path / "absent")]
    said = run("report", *words, "--out", str(tmp_path / "page.html"))
    assert said.code == 2
    assert "2 things to mend" in said.err
    assert "empty holds no summary.json" in said.line.replace(":", "")
    assert "does not exist" in said.line
    assert not (tmp_path / "page.html").exists()


def test_a_run_that_is_named_twice_is_not_compared_with_itself(
    small_run: Path, run: Command, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    words = [str(small_run), str(small_run / "trials/.."), "--no-predict", "--out", str(out)]
    said = run("report", *words)
    assert said.code == 0
    assert f"note {small_run} was named more than once" in said.line
    assert "Side by side" not in out.read_text()


def test_no_run_at_all_is_refused() -> None:
    with pytest.raises(RequestError, match="no run is named"):
        report([])


def test_a_folder_of_runs_says_which_lie_in_it(own_run: Path, run: Command) -> None:
    shutil.copytree(own_run, own_run.parent / "other")
    said = run("report", str(own_run.parent))
    assert said.code == 2
    assert "holds several runs or studies: other, own." in said.line
    assert f"Name one of them: {own_run.parent / 'other'}" in said.line


def test_runs_are_compared_where_they_can_be(own_run: Path, small_run: Path) -> None:
    change(own_run, test=summary_of(own_run)["studies"][0]["test"])
    page = report([small_run, own_run], own_run / "both.html").read_text()
    overview = rows_after(page, "<h2>Side by side</h2>")
    assert [row[0] for row in overview] == ["small (small)", "small (own)"]
    (difference,) = rows_after(page, "Differences from")
    # A run less itself: nothing, and chance says nothing else.
    assert difference[:2] == ["small (own)", "+0"]
    assert difference[3] == "not known"
    assert "Not comparable" not in page
    assert "<img" not in page


def test_runs_of_other_questions_are_not_compared(own_run: Path, small_run: Path) -> None:
    told = summary_of(own_run)["studies"][0]
    change(own_run, objective={"metric": "f1_macro", "mode": "max"})
    page = report([small_run, own_run], own_run / "both.html").read_text()
    assert "Differences from" not in page
    assert "Not comparable with any other study here" in page
    assert told["name"] == "small"


def test_a_summary_of_another_version_is_refused(own_run: Path, run: Command) -> None:
    summary = summary_of(own_run)
    del summary["wall_seconds"], summary["studies"][0]["test_classes"]
    (own_run / "summary.json").write_text(json.dumps(summary))
    said = run("report", str(own_run))
    assert said.code == 2
    assert "summary.json lacks test_classes, wall_seconds" in said.line.replace("json:", "json")


def test_no_name_leads_out_of_the_run(own_run: Path, run: Command) -> None:
    change(own_run, name="../../elsewhere")
    said = run("report", str(own_run))
    assert said.code == 2
    assert "no path of a file below a folder" in said.line


def test_wrong_and_right_samples_are_what_they_are_called(
    small_run: Path, small_page: Path
) -> None:
    page = small_page.read_text()
    chosen = max(
        summary_of(small_run)["studies"][0]["repeats"], key=lambda one: one["metrics"]["val"]
    )
    assert f"the best repeat on validation ({chosen['folder']})" in page
    for heading, marks in (("Wrong", {"✗"}), ("Right", {"✓"}), ("Least certain", {"✓", "✗"})):
        part = re.split("<h[23]>", page[page.index(f"<h3>{heading}</h3>") :])[1]
        found = re.findall(r"<b class=\"(?:good|bad)\">(.)</b> true <b>(.*?)</b>", part)
        told = re.findall(r"predicted <b>(.*?) \((\d+) %\)</b>", part)
        assert 0 < len(found) == len(told) <= 6
        assert {mark for mark, _ in found} <= marks
        for (mark, true), (name, _) in zip(found, told, strict=True):
            assert (mark == "✓") == (true == name)
        sure = [int(share) for _, share in told]
        assert sure == sorted(sure, reverse=heading != "Least certain")


def test_cost_is_that_of_the_trainings(small_run: Path, small_page: Path) -> None:
    page = small_page.read_text()
    told = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    summary = summary_of(small_run)
    assert told["Wall time"] == seconds_text(summary["wall_seconds"])
    assert told["Training time"] == seconds_text(summary["train_seconds"])
    assert "mean of 5" in told["Training a trial"]
    assert "mean of 2" in told["Training a repeat"]
    parameters = summary["studies"][0]["best"]["parameters"]
    assert told["Parameters"].startswith(f"{count_text(parameters['trained'])} trained of ")
    prepared = prepare(load_recipe(small_run / "recipe.yaml"))
    assert told["FLOPs of an epoch"].startswith(count_text(epoch_flops(prepared)))
    assert told["FLOPs of an image predicted"] == count_text(image_flops(prepared))
    assert told["Trained on"] == "CPU, 1 thread"


def test_energy_is_told_where_it_was_measured(own_run: Path) -> None:
    sessions = [
        {"cpu_joules": 3600.0, "gpu_joules": 7200.0, "seconds": 30.0},
        {"cpu_joules": 1800.0, "seconds": 20.0},
    ]
    (own_run / "energy.json").write_text(json.dumps(sessions))
    page = report(own_run, predict=False).read_text()
    told = "1.5 Wh processors, 2 Wh GPUs (the whole machine, in 50 s of work on the run)"
    assert f"<dt>Energy</dt><dd>{told}</dd>" in page


def test_trials_beyond_the_axis_of_the_history_are_named(own_run: Path) -> None:
    page = report(own_run, predict=False).read_text()
    assert "beyond the axis" not in page
    trials = summary_of(own_run)["studies"][0]["all_trials"]
    values = [0.9, 0.91, 0.92, 0.93, 0.01]
    told = [
        one | {"value": value, "state": "complete"}
        for one, value in zip(trials, values, strict=True)
    ]
    change(own_run, all_trials=told)
    page = report(own_run, predict=False).read_text()
    said = f"Trial {trials[-1]['number']} lies beyond the axis, and is drawn at its edge."
    assert said in page
