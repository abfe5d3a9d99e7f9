"""Looking at GEO-Bench-2 datasets: pictures and counts of every kind of target."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from geobench_v2_support import all_bands, boxes, opened
from typer.testing import CliRunner

from iterate.cli.data.app import app
from iterate_core.data.convert.images import read_image
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.data.inspect.show import draw
from iterate_core.data.inspect.survey import survey
from iterate_core.errors import RequestError

KINDS = ("so2sat", "benv2", "kuro_siwo", "biomassters", "everwatch", "substation", "pastis_r")


@pytest.mark.parametrize("dataset", KINDS)
def test_every_kind_of_target_is_drawn_and_counted(dataset: str, tmp_path: Path) -> None:
    generate(dataset, tmp_path, (3, 1, 1), 16)
    reader = opened(tmp_path, dataset)
    draw(reader, "train", tmp_path / "picture.png")
    picture = read_image(tmp_path / "picture.png")
    assert picture.shape[1] > 200
    assert picture.std() > 10
    found = survey(reader)
    assert found.read == {"train": 3, "val": 1, "test": 1}
    samples = [reader.read(name, all_bands(reader)) for name in reader.names("train")]
    pixels = np.stack([sample.image[0] for sample in samples]).astype(np.float64)
    assert found.bands[0].mean == pytest.approx(pixels.mean())
    assert found.bands[0].std == pytest.approx(pixels.std())
    if reader.info.task in ("detection", "instance"):
        labels = np.concatenate([boxes(sample).labels for sample in samples])
    elif reader.info.task == "multilabel":
        labels = np.concatenate([np.flatnonzero(np.asarray(s.target)) for s in samples])
    elif reader.info.task == "regression":
        labels = np.zeros(3 * 16 * 16, dtype=np.int64)
    else:
        labels = np.concatenate([np.asarray(sample.target).ravel() for sample in samples])
    expected = np.bincount(labels, minlength=len(reader.info.classes))
    assert found.counts["train"] == expected.tolist()


def test_the_command_shows_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generate("spacenet7", tmp_path, (2, 1, 1), 8)
    words = ["show", str(tmp_path), "--dataset", "spacenet7", "--json"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown["dataset"]["classes"] == ["no-building", "building"]
    assert (tmp_path / "spacenet7-train.png").exists()
    kept = CliRunner().invoke(app, [*words, "--compat"], catch_exceptions=False)
    assert len(json.loads(kept.stdout)["dataset"]["classes"]) == 3


@pytest.mark.parametrize("where", ["", "spacenet7", "spacenet7/geobench_spacenet7.tortilla"])
def test_files_are_shown_by_their_names(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    generate("spacenet7", tmp_path, (2, 1, 1), 8)
    result = CliRunner().invoke(app, ["show", where or ".", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["dataset"]["name"] == "spacenet7"


def test_the_real_files_are_shown_by_their_names(
    shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pastis", "benv2"):
        file = str(shared_data(f"geobench_v2/{name}.tortilla"))
        words = ["show", file, "--json", "--limit", "1", "--count", "1"]
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert json.loads(result.stdout)["dataset"]["name"] == name


def test_files_whose_names_do_not_say_are_asked_about(tmp_path: Path) -> None:
    generate("spacenet7", tmp_path, (1, 1, 1), 8)
    path = tmp_path / "spacenet7/geobench_spacenet7.tortilla"
    other = path.rename(tmp_path / "mine.tortilla")
    with pytest.raises(RequestError, match=r"mine\.tortilla does not say .* with --dataset: benv2"):
        CliRunner().invoke(app, ["show", str(other)], catch_exceptions=False)
    other.rename(tmp_path / "benv2.tortilla")
    generate("flair2", tmp_path, (1, 1, 1), 8)
    with pytest.raises(RequestError, match=r"holds files of 2 datasets: benv2, flair2\. Choose"):
        CliRunner().invoke(app, ["show", str(tmp_path)], catch_exceptions=False)


def test_the_command_names_the_nearest_dataset(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="Did you mean 'spacenet7'"):
        CliRunner().invoke(
            app, ["show", str(tmp_path), "--dataset", "spacenet77"], catch_exceptions=False
        )


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("flair2.tortilla", "By its name it is a file of 'flair2', not of 'pastis'"),
        ("mine.tortilla", "Or it is a file of another dataset than 'pastis'"),
    ],
)
def test_a_file_of_another_dataset_is_not_only_called_damaged(
    file: str, told: str, tmp_path: Path
) -> None:
    generate("flair2", tmp_path, (1, 1, 1), 8)
    (made,) = tmp_path.rglob("*.tortilla")
    made.rename(tmp_path / file)
    words = ["show", str(tmp_path / file), "--dataset", "pastis"]
    with pytest.raises(RequestError, match=told):
        CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.mark.parametrize("name", ["nothere", "nothere.tortilla", "file.txt"])
def test_what_is_no_dataset_is_told_without_a_key_that_nobody_set(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(RequestError, match="is not a folder of a dataset") as refused:
        CliRunner().invoke(app, ["show", str(tmp_path / name)], catch_exceptions=False)
    assert "data.root" not in str(refused.value)
