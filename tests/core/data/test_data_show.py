"""Looking at datasets, and the ``data`` commands."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from convert_support import image
from engine_support import RGB, ArraysData, give, open_arrays
from folders_support import noise
from geobench_v2_support import opened
from typer.testing import CliRunner

from iterate.cli.data.app import app
from iterate_core.data.convert.images import read_image
from iterate_core.data.dataset import SPLITS
from iterate_core.data.generated.reader import GeneratedData, generate
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v2.synthetic.generate import generate as generate_v2
from iterate_core.data.inspect.show import draw, stretched, visible_bands
from iterate_core.data.inspect.survey import survey
from iterate_core.data.inspect.targets import quantity
from iterate_core.errors import RequestError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["classification", "segmentation"])
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> GeoBenchV1:
    generate(
        GeneratedData(kind=request.param, samples=(12, 3, 3), size=18), tmp_path / request.param
    )
    return GeoBenchV1(GeoBenchV1Data(root=tmp_path / request.param))


def run(*words: str) -> Any:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_a_survey_counts_and_measures_what_is_there(reader: GeoBenchV1) -> None:
    found = survey(reader)
    bands = [band.name for band in reader.info.bands]
    for split in SPLITS:
        samples = [reader.read(name, bands) for name in reader.names(split)]
        labels = np.concatenate([np.ravel(np.asarray(sample.target)) for sample in samples])
        count = len(reader.info.classes)
        assert found.counts[split] == np.bincount(labels.astype(int), minlength=count).tolist()
        assert (found.read[split], found.ignored[split]) == (len(samples), 0)
        if split == "train":
            pixels = np.stack([sample.image for sample in samples]).astype(np.float64)
            for index, row in enumerate(found.bands):
                assert row.mean == pytest.approx(pixels[:, index].mean(), rel=1e-12)
                assert row.std == pytest.approx(pixels[:, index].std(), rel=1e-12)
                assert (row.low, row.high) == (pixels[:, index].min(), pixels[:, index].max())


def test_a_survey_reads_no_more_than_it_is_allowed(reader: GeoBenchV1) -> None:
    assert survey(reader, limit=2).read == dict.fromkeys(SPLITS, 2)


def test_masks_that_do_not_count_are_counted_apart(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    source = shared_data("segmentation/sen1floods11_spain_64.npz")
    run("convert", str(source), str(tmp_path / "floods"))
    found = survey(GeoBenchV1(GeoBenchV1Data(root=tmp_path / "floods")))
    with np.load(source) as file:
        masks = file["masks"][file["split"] == 2]
    assert found.ignored["test"] == (masks == 255).sum() > 0
    assert found.counts["test"] == [(masks == 0).sum(), (masks == 1).sum()]


def test_a_picture_shows_red_green_and_blue(reader: GeoBenchV1, tmp_path: Path) -> None:
    assert [band.common for band in visible_bands(reader.info.bands)] == ["red", "green", "blue"]
    draw(reader, "train", tmp_path / "a.png", count=7)
    draw(reader, "train", tmp_path / "b.png", count=7)
    picture = read_image(tmp_path / "a.png")
    assert picture.shape[1] > 300
    assert picture.shape[2] > 600
    assert len(np.unique(picture[:3].reshape(3, -1), axis=1).T) > 500
    np.testing.assert_array_equal(picture, read_image(tmp_path / "b.png"))
    with pytest.raises(RequestError, match="cannot be written"):
        draw(reader, "train", Path("/proc/none/a.png"), count=1)


def test_the_stretch_is_from_the_2nd_to_the_98th_percentile() -> None:
    ramp = np.arange(1001, dtype=np.int16).reshape(1, 7, 143)
    (found,) = stretched([ramp])
    np.testing.assert_allclose(found[..., 0], np.clip((ramp[0] - 20) / 960, 0, 1), atol=1e-12)


def test_generate_convert_and_show_speak_json(tmp_path: Path) -> None:
    made = json.loads(
        run(
            *("generate", str(tmp_path / "set"), "--train", "8", "--val", "2", "--test", "2"),
            *("--size", "16", "--seed", "3", "--json"),
        ).stdout
    )
    assert made["dataset"]["sizes"] == {"train": 8, "val": 2, "test": 2}
    shown = json.loads(run("show", str(tmp_path / "set"), "--json").stdout)
    assert shown["dataset"] == made["dataset"]
    assert sum(shown["counts"]["train"]) == 8
    assert shown["bands"][1]["band"]["name"] == "02 - Blue"
    assert Path(shown["picture"]).stat().st_size > 1000
    np.savez(
        tmp_path / "x.npz",
        images=np.zeros((3, 4, 4, 3), np.uint8),
        labels=[0, 1, 0],
        split=[0, 1, 2],
    )
    out = str(tmp_path / "converted")
    text = run("convert", str(tmp_path / "x.npz"), out, "--classes", "a, b", "--json").stdout
    assert json.loads(text)["dataset"]["classes"] == ["a", "b"]


def test_downscaling_is_drawn_on_a_grid_twice_as_fine_unless_said(tmp_path: Path) -> None:
    words = ("--kind", "downscaling", "--train", "4", "--val", "2", "--test", "2", "--size", "16")
    for finer, given in ((2, ()), (4, ("--finer", "4"))):
        made = run("generate", str(tmp_path / f"by {finer}"), *words, *given, "--json").stdout
        assert json.loads(made)["dataset"]["finer"] == finer


def test_tables_go_to_standard_error(tmp_path: Path) -> None:
    generate(GeneratedData(samples=(8, 1, 1), size=16), tmp_path / "set")
    result = run("show", str(tmp_path / "set"), "--split", "val", "--out", "p.png")
    assert result.stdout == ""
    for text in ("broadleaf forest", "swir_1", "1.61", "p.png", "Samples of each class"):
        assert text in result.stderr
    assert (tmp_path / "p.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "absent"), "absent: is not a folder of a dataset"),
        (("show", "absent", "--split", "tset"), "--split: there is no split 'tset'. Did you mean"),
        (
            ("show", "absent", "--split", "test", "--augmented", "{crop: true}"),
            "--augmented: says what a training makes of samples, and the test split is never",
        ),
        (("show", "absent", "--partition", "0.3x"), "data.partition: input should be 'default'"),
        (("generate", "x", "--kind", "segmentaton"), "--kind: input should be 'classification'"),
        (
            ("generate", "x", "--kind", "downscaling", "--finer", "1"),
            "--finer: downscaling, and nothing else, is to a finer grid: set finer: 2, or more",
        ),
        (("convert", "x.npz", "y", "--task", "segmentaton"), "Did you mean 'segmentation'"),
        (("convert", "x.npz", "y"), "x.npz: does not exist"),
    ],
)
def test_wrong_requests_are_told(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert message in str(caught.value)


def test_a_foreign_driver_cannot_hide_behind_a_suffix(tmp_path: Path) -> None:
    # GDAL would open this text as a virtual file that points elsewhere.
    (tmp_path / "x.tif").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>")
    with pytest.raises(RequestError, match=r"x\.tif: is not a readable GTiff image"):
        read_image(tmp_path / "x.tif")


def test_nothing_here_imports_torch() -> None:
    names = ["convert.convert", "generated.reader", "geobench_v1.reader", "geobench_v1.writer"]
    names += ["open", "inspect.show", "store.pack"]
    lines = [f"import iterate_core.data.{name}" for name in names]
    program = "\n".join(
        [*lines, "import iterate.cli.data.app, sys", "assert 'torch' not in sys.modules"]
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_shares_of_several_labels_are_shares_of_the_samples(tmp_path: Path) -> None:
    table = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 0, 0]] * 3)
    images = np.zeros((12, 3, 4, 4), np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=table, split=[0] * 4 + [1] * 4 + [2] * 4)
    run("convert", str(tmp_path / "x.npz"), str(tmp_path / "set"))
    told = " ".join(run("show", str(tmp_path / "set")).stderr.split())
    for line in ("class 0 │ 4 (100.0 %)", "class 1 │ 2 (50.0 %)", "class 2 │ 2 (50.0 %)"):
        assert line in told


def test_a_quantity_has_a_range_a_unit_and_a_histogram(tmp_path: Path) -> None:
    generate_v2("biomassters", tmp_path, (3, 1, 1), 16)
    shown = json.loads(run("show", str(tmp_path), "--json").stdout)
    reader = opened(tmp_path, "biomassters")
    targets = [reader.read(name, ["B04"]).target for name in reader.names("train")]
    values = np.stack([np.asarray(target) for target in targets])
    found = shown["quantity"]["train"]
    assert shown["dataset"]["unit"] == "× 289.89 t/ha"
    assert (found["low"], found["high"]) == (values.min(), values.max())
    assert found["mean"] == pytest.approx(values.mean())
    assert found["std"] == pytest.approx(values.std())
    assert found["histogram"] == np.histogram(values.astype(np.float64), 20)[0].tolist()
    told = run("show", str(tmp_path)).stderr
    assert "above-ground biomass, × 289.89 t/ha" in told
    assert "▁" in told or "█" in told
    assert "100.0 %" not in told
    assert "1 classes" not in told


def dense(task: str, images: Any, targets: Any, classes: int = 2) -> Any:
    section = give(images, targets, RGB, classes, task=task)
    return open_arrays(ArraysData(number=section["number"]))


def pixels_of(path: Path, colour: str) -> int:
    """How many pixels of a picture are of a colour exactly."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    return int((read_image(path)[:3] == wanted[:, None, None]).all(axis=0).sum())


BLUE, ORANGE = "#1f77b4", "#ff7f0e"


def test_a_mask_stands_beside_its_image_and_what_does_not_count_is_hatched(tmp_path: Path) -> None:
    images = np.full((1, 3, 16, 16), 200, np.uint8)
    images[:, :, 0] = 0
    masks = np.zeros((1, 16, 16), np.uint8)
    masks[:, 8:] = 1
    draw(dense("segmentation", images, masks), "train", tmp_path / "two.png")
    halves = pixels_of(tmp_path / "two.png", BLUE), pixels_of(tmp_path / "two.png", ORANGE)
    assert halves[0] == pytest.approx(halves[1], rel=0.05)  # pure colours: nothing shines through
    assert halves[0] > 10_000
    masks[:, 8:] = 255
    draw(dense("segmentation", images, masks), "train", tmp_path / "one.png")
    assert pixels_of(tmp_path / "one.png", ORANGE) == 0
    assert pixels_of(tmp_path / "one.png", BLUE) == pytest.approx(halves[0], rel=0.05)
    assert pixels_of(tmp_path / "one.png", "#808080") > 500


def test_the_background_is_left_white(tmp_path: Path) -> None:
    images = np.zeros((1, 3, 16, 16), np.uint8)
    masks = np.zeros((1, 16, 16), np.uint8)
    masks[:, :4] = 1
    reader = dense("segmentation", images, masks)
    reader.info = replace(reader.info, classes=("background", "field"))
    draw(reader, "train", tmp_path / "a.png")
    assert pixels_of(tmp_path / "a.png", BLUE) > 5000  # the first colour is the first real class
    assert pixels_of(tmp_path / "a.png", ORANGE) == 0


def test_a_dark_scene_is_seen_beside_a_bright_one() -> None:
    rng = np.random.default_rng(0)
    bright = rng.integers(5000, 10_000, (3, 16, 16))
    dark = rng.integers(100, 700, (3, 16, 16))
    found = stretched([bright, dark, bright])
    assert 0.2 < np.median(found[1]) < 0.8
    assert found[1].std() > 0.05
    np.testing.assert_array_equal(found[0], found[2])


def test_a_map_has_a_bar_with_its_unit_and_a_name_is_no_formula(tmp_path: Path) -> None:
    images = np.zeros((2, 3, 16, 16), np.uint8)
    maps = np.linspace(0, 80, 512).reshape(2, 16, 16).astype(np.float32)
    maps[0, :4] = np.nan
    reader = dense("regression", images, maps, 1)
    reader.info = replace(reader.info, name=r"$\frac$ \x07", classes=("$h$ight",), unit="m")
    draw(reader, "train", tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")[:3]
    assert pixels_of(tmp_path / "a.png", "#808080") > 200  # the unknown is hatched
    bottom = picture[:, -picture.shape[1] // 6 :]
    assert len(np.unique(bottom.reshape(3, -1), axis=1).T) > 60  # the bar
    assert quantity(reader.info) == "$h$ight [m]"


def test_the_data_of_a_search_are_shown_whatever_their_format(tmp_path: Path) -> None:
    for number in range(10):
        image(tmp_path / f"tiles/{'ab'[number % 2]}/{number}.png", noise(3, 8, number, "uint8"))
    data = {"name": "image_folder", "root": str(tmp_path / "tiles")}
    search = {"name": "mine", "data": data, "space": {"optimiser.lr": "interval(1e-4, 1e-2)"}}
    defaults = ["recipe", {"override data": "image_folder"}, "_self_"]
    (tmp_path / "search.yaml").write_text(yaml.safe_dump({"defaults": defaults, **search}))
    shown = json.loads(run("show", "search.yaml", "--json").stdout)
    assert shown["dataset"]["name"] == "tiles"
    assert shown["read"] == {"train": 6, "val": 2, "test": 2}
    assert Path(shown["picture"]).is_file()
    with pytest.raises(RequestError, match=r"--compat: is for folders; search\.yaml says how"):
        run("show", "search.yaml", "--compat")
