"""Maps of scenes: what is blended, written, gone on with and refused."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from engine_support import recipe
from predicting_support import ArrayScene, run, untrained
from rasterio.crs import CRS
from rio_cogeo.cogeo import cog_validate
from scipy.stats import entropy as scipy_entropy

from iterate_core.data.augmentation.elements import elements
from iterate_core.data.loading.batch import Context
from iterate_core.errors import DeviceMemoryError, RequestError
from iterate_core.inference.members import Ensemble, load_ensemble
from iterate_core.inference.predictor import load_model

ALL = ("classes", "probabilities", "entropy")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three segmentations of one recipe that differ in their weights."""
    place = tmp_path_factory.mktemp("models")
    small = recipe("segmentation", model={"decoder": {"name": "linear", "level": 4}})
    return [untrained(small, place / str(seed), seed) for seed in range(3)]


@pytest.fixture(scope="module")
def one(folders: list[Path]) -> Ensemble:
    return load_ensemble(folders[:1])


def scene(height: int = 130, width: int = 170, **others: Any) -> ArrayScene:
    rng = np.random.default_rng(0)
    pixels = rng.normal(1500, 500, (4, height, width)).astype(np.float32)
    return ArrayScene(pixels, **others)


def pixels_of(path: Path) -> Any:
    with rasterio.open(path) as file:
        return file.read()


def bytes_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.*") if path.is_file()}


def test_a_convolutional_models_map_is_that_of_the_whole_image(
    folders: list[Path], tmp_path: Path
) -> None:
    """Where windows share four times what it sees to one side of a pixel."""
    image = scene(640, 640)
    blended = load_ensemble(folders[:1], window=512)
    run(image, blended, tmp_path, overlap=384, outputs=("probabilities",))
    whole = load_model(folders[0], window=640).predict(torch.from_numpy(image.pixels)[None])[0]
    found = pixels_of(tmp_path / "scene_probabilities.tif")
    assert np.abs(found - whole.numpy()).max() < 1e-4
    # It is no accident: with little overlap it does differ.
    run(image, blended, tmp_path / "apart", overlap=0, outputs=("probabilities",))
    seams = pixels_of(tmp_path / "apart/scene_probabilities.tif")
    assert np.abs(seams - whole.numpy()).max() > 1e-3


def test_outputs_follow_from_the_mean_of_the_models(folders: list[Path], tmp_path: Path) -> None:
    image = scene()
    single = []
    for number in range(3):
        run(image, load_ensemble([folders[number]]), tmp_path / str(number), outputs=ALL)
        single.append(pixels_of(tmp_path / str(number) / "scene_probabilities.tif"))
    together = load_ensemble(folders)
    run(image, together, tmp_path / "all", outputs=(*ALL, "spread"))
    read = {name: pixels_of(tmp_path / f"all/scene_{name}.tif") for name in (*ALL, "spread")}
    mean = np.mean(single, axis=0)
    assert np.allclose(mean.sum(axis=0), 1, atol=1e-5)
    assert np.allclose(read["probabilities"], mean, atol=1e-6)
    assert np.allclose(read["spread"], np.std(single, axis=0, ddof=1), atol=1e-6)
    assert np.allclose(read["entropy"][0], scipy_entropy(mean, axis=0), atol=1e-5)
    assert (read["classes"][0] == mean.argmax(axis=0)).mean() > 0.9999
    assert read["classes"].dtype == np.uint8


def test_files_say_what_they_hold(one: Ensemble, tmp_path: Path) -> None:
    image = scene(600, 700)
    image.valid[:100, :200] = False
    (result,), table = run(image, one, tmp_path, outputs=ALL)
    assert table is None
    assert [path.name for path in result.outputs if path.suffix == ".tif"] == [
        f"scene_{name}.tif" for name in ALL
    ]
    classes = one.first.target.names
    for name in ALL:
        path = tmp_path / f"scene_{name}.tif"
        assert cog_validate(path) == (True, [], [])
        with rasterio.open(path) as file:
            assert file.crs == CRS.from_epsg(32632)
            assert file.transform == image.transform
            assert file.shape == (600, 700)
            assert file.overviews(1) == [2]
            assert file.tags()["MODEL"] == one.description.identity
            nodata = 255 if name == "classes" else np.nan
            assert np.isclose(file.nodata, nodata, equal_nan=True)
            missing = ~file.dataset_mask().astype(bool)
            assert (missing == ~image.valid).all()
            told = {"classes": ("class",), "probabilities": classes, "entropy": ("entropy",)}
            assert file.descriptions == told[name]
            if name == "classes":
                colours = [file.colormap(1)[index] for index in range(len(classes))]
                assert len(set(colours)) == len(classes)
    named = (tmp_path / "scene_classes.tif.aux.xml").read_text()
    assert all(f"<Category>{name}</Category>" in named for name in classes)
    assert result.predicted < result.windows


def test_windows_without_data_are_not_predicted(one: Ensemble, tmp_path: Path) -> None:
    image = scene(64, 320)
    image.valid[:, 100:] = False
    (result,), _ = run(image, one, tmp_path)
    windows = [column for column in range(13) if column * 24 < 100]
    assert (result.windows, result.predicted) == (3 * 13, 3 * len(windows))
    empty = scene(64, 64, name="empty")
    empty.valid[:] = False
    (result,), _ = run(empty, one, tmp_path)
    assert (pixels_of(tmp_path / "empty_classes.tif") == 255).all()
    assert result.predicted == 0
    (again,), _ = run(empty, one, tmp_path)
    assert again.kept
    for each in (result, again):
        assert [note for note in each.notes if "no pixel has data" in note] == list(each.notes)
        assert each.notes


def test_a_scene_smaller_than_a_window_is_mirrored(one: Ensemble, tmp_path: Path) -> None:
    image = scene(20, 25)
    run(image, one, tmp_path, outputs=("probabilities",))
    padded = np.pad(image.pixels, ((0, 0), (0, 12), (0, 7)), mode="symmetric")
    wanted = one.first.predict(torch.from_numpy(padded)[None])[0, :, :20, :25]
    assert np.allclose(pixels_of(tmp_path / "scene_probabilities.tif"), wanted, atol=1e-6)


def test_flips_predict_the_mean_over_the_eight_ways_to_look(
    folders: list[Path], tmp_path: Path
) -> None:
    image, flipped = scene(32, 32), load_ensemble(folders[:1], flips=True)
    run(image, flipped, tmp_path, outputs=("probabilities",), flips=True)
    given = torch.from_numpy(image.pixels)[None]
    several = []
    for element in elements(flip=True, rotate=True, square=True):
        found = flipped.first.predict(element.apply(given))[0]
        back = found.flip(-1) if element.flip else found
        several.append(torch.rot90(back, -element.turns, (-2, -1)))
    wanted = torch.stack(several).mean(dim=0).numpy()
    assert len(several) == 8
    assert np.allclose(pixels_of(tmp_path / "scene_probabilities.tif"), wanted, atol=1e-6)


def test_the_size_of_batches_changes_no_more_than_last_digits(
    one: Ensemble, tmp_path: Path
) -> None:
    image = scene()
    for batch in (1, 5):
        run(image, one, tmp_path / str(batch), batch=batch, outputs=("probabilities",))
    first, other = (pixels_of(tmp_path / f"{n}/scene_probabilities.tif") for n in (1, 5))
    assert np.allclose(first, other, atol=1e-5)


def test_what_broke_off_goes_on_and_ends_with_the_same_bytes(one: Ensemble, tmp_path: Path) -> None:
    whole = scene()
    run(whole, one, tmp_path / "whole", outputs=ALL, batch=3)
    image = scene(broken=100)
    (result,), _ = run(image, one, tmp_path / "broken", outputs=ALL, batch=3)
    assert result.failure == "scene.tif: is damaged."
    assert not list((tmp_path / "broken").glob("*.tif"))
    before, image.broken = image.reads, None
    run(image, one, tmp_path / "broken", outputs=ALL, batch=3)
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")
    assert image.reads - before <= whole.reads - before + 2  # the row that failed is read again
    assert not (tmp_path / "broken/.predict/scene.work").exists()


def test_what_is_finished_is_kept_until_something_changes(one: Ensemble, tmp_path: Path) -> None:
    image = scene(64, 64)

    def predicted(**options: Any) -> bool:
        (result,), _ = run(image, one, tmp_path, **options)
        return not result.kept

    assert predicted()
    assert not predicted()
    assert not predicted(batch=2)
    assert predicted(overwrite=True)
    assert predicted(outputs=("entropy",))
    assert not predicted()
    assert not predicted(outputs=("entropy", "classes"))
    (tmp_path / "scene_entropy.tif").unlink()
    assert predicted(outputs=("entropy",))
    image.pixels += 1
    assert predicted(outputs=("entropy",))
    assert predicted()


def test_further_outputs_cost_no_others(one: Ensemble, tmp_path: Path) -> None:
    image = scene(64, 64)
    run(image, one, tmp_path)
    before = (tmp_path / "scene_classes.tif").stat().st_mtime_ns
    (result,), _ = run(image, one, tmp_path, outputs=("entropy", "classes"))
    assert [path.name for path in result.outputs if path.suffix == ".tif"] == [
        "scene_entropy.tif",
        "scene_classes.tif",
    ]
    assert (tmp_path / "scene_classes.tif").stat().st_mtime_ns == before
    run(image, one, tmp_path / "together", outputs=("entropy", "classes"))
    assert bytes_of(tmp_path) == bytes_of(tmp_path / "together")


def test_maps_of_another_kind_are_replaced_where_that_is_said(
    one: Ensemble, folders: list[Path], tmp_path: Path
) -> None:
    """Of another model, another scene of that name, or other options; begun or finished."""
    image, other = scene(64, 64), load_ensemble(folders[:1], flips=True)
    elsewhere = scene(64, 64)
    elsewhere.source = "elsewhere/scene.tif"
    run(image, one, tmp_path)
    before = bytes_of(tmp_path)
    with pytest.raises(RequestError, match=r"scene_classes\.tif: is of another model, or"):
        run(image, other, tmp_path, flips=True)
    with pytest.raises(RequestError, match=r"with other options.*--overwrite"):
        run(image, one, tmp_path, overlap=4, outputs=("entropy",))
    with pytest.raises(RequestError, match=r"is of another scene: scene\.tif\."):
        run(elsewhere, one, tmp_path)
    assert bytes_of(tmp_path) == before
    (result,), _ = run(elsewhere, one, tmp_path, overwrite=True, overlap=4)
    assert not result.kept
    (result,), _ = run(elsewhere, one, tmp_path, overlap=4)
    assert result.kept
    elsewhere.broken = 40  # it stops while it replaces what is there, and goes on
    (result,), _ = run(elsewhere, one, tmp_path, overwrite=True)
    assert result.failure is not None
    elsewhere.broken, reads = None, elsewhere.reads
    (result,), _ = run(elsewhere, one, tmp_path)
    assert (result.failure, result.kept, elsewhere.reads - reads) == (None, False, 2)
    begun = scene(64, 64, name="begun", broken=40)
    run(begun, one, tmp_path)
    with pytest.raises(RequestError, match=r"begun\.work: is of another model, or was asked"):
        run(begun, one, tmp_path, overlap=4)


def test_a_file_that_is_none_of_its_maps_is_left_alone(one: Ensemble, tmp_path: Path) -> None:
    image = scene(64, 64)
    own = tmp_path / "scene_classes.tif"
    own.write_text("a person's own")
    with pytest.raises(RequestError, match=r"scene_classes\.tif: is there already, and is no pred"):
        run(image, one, tmp_path)
    run(image, one, tmp_path, outputs=("entropy",))
    assert own.read_text() == "a person's own"
    run(image, one, tmp_path, overwrite=True)
    own.write_bytes(own.read_bytes()[::-1])  # the same size: drawn over by hand
    with pytest.raises(RequestError, match="or was changed since"):
        run(image, one, tmp_path)
    os.utime(tmp_path / "scene_entropy.tif", (0, 0))  # as a copy of the folder has it
    (result,), _ = run(image, one, tmp_path, outputs=("entropy",))
    assert result.kept


def test_maps_whose_writing_was_stopped_are_known(
    one: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = scene(64, 64)

    def killed(self: Any, wanted: Any, key: str, done: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("iterate_core.inference.done.Records.finish", killed)
        with pytest.raises(KeyboardInterrupt):
            run(image, one, tmp_path)
    assert (tmp_path / "scene_classes.tif").exists()
    (result,), _ = run(image, one, tmp_path)
    assert (result.failure, result.kept) == (None, False)


def test_what_is_unlikely_of_a_scene_is_noted(folders: list[Path], tmp_path: Path) -> None:
    empty, large = scene(64, 64, name="empty"), load_ensemble(folders[:1], window=128)
    empty.valid[:] = False
    (result,), _ = run([empty], large, tmp_path, window=128)
    nothing, ample = result.notes
    assert nothing.startswith("no pixel has data in every band")
    assert ample.startswith("windows of 128 pixels are far larger than its 64 × 64")
    (result,), _ = run([scene(130, 30)], large, tmp_path, window=128)
    assert result.notes == ()


def test_one_broken_scene_costs_no_other(one: Ensemble, tmp_path: Path) -> None:
    scenes = [scene(64, 64, name=name) for name in ("a", "b", "c")]
    scenes[1].broken = 0
    for jobs in (1, 2):
        results, _ = run(scenes, one, tmp_path / str(jobs), jobs=jobs)
        assert [result.failure for result in results] == [None, "b.tif: is damaged.", None]
        assert sorted(path.name for path in (tmp_path / str(jobs)).glob("*.tif")) == [
            "a_classes.tif",
            "c_classes.tif",
        ]
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")


class Counting:
    """Follows the work."""

    def __init__(self) -> None:
        self.planned_: list[tuple[str, int, int]] = []
        self.passed: Counter[str] = Counter()
        self.ended: list[str] = []

    def planned(self, scene: str, windows: int, done: int) -> None:
        self.planned_.append((scene, windows, done))

    def advanced(self, scene: str, windows: int) -> None:
        self.passed[scene] += windows

    def written(self, scene: str) -> None:
        self.ended.append(scene)


def test_a_folder_that_cannot_be_made_is_told(one: Ensemble, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="the output folder cannot be written"):
        run(scene(32, 32), one, tmp_path / "file/maps")


def test_a_map_whose_unfinished_pixels_are_gone_is_begun_anew(
    one: Ensemble, tmp_path: Path
) -> None:
    image = scene(64, 64, broken=40)
    run(image, one, tmp_path)
    (tmp_path / ".predict/scene.work/classes.raw").unlink()
    image.broken = None
    (result,), _ = run(image, one, tmp_path)
    assert (result.failure, result.predicted) == (None, result.windows)


def test_whoever_waits_is_told_how_far_it_is(one: Ensemble, tmp_path: Path) -> None:
    scenes = [scene(100, 80, name="a", broken=60), scene(64, 64, name="b")]
    watch = Counting()
    (_, whole), _ = run(scenes, one, tmp_path, watch)
    assert whole.windows == watch.passed["b"]
    assert watch.ended == ["a", "b"]
    scenes[0].broken, again = None, Counting()
    (resumed, kept), _ = run(scenes, one, tmp_path, again)
    assert kept.kept
    ((name, windows, done),) = again.planned_
    assert (name, windows) == ("a", resumed.windows)
    assert 0 < done == watch.passed["a"] // 3 * 3
    assert done + again.passed["a"] == windows


def test_a_batch_too_large_for_a_gpus_memory_is_halved(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_ensemble(folders[:1])
    given = torch.from_numpy(scene(32, 32 * 5).pixels).unfold(2, 32, 32).permute(2, 0, 1, 3)
    wanted = whole.predict(given)
    predict, most = whole.first.predict, [2]

    def small(images: torch.Tensor, context: Any = None) -> Any:
        if len(images) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return predict(images, context)

    monkeypatch.setattr(whole.first, "predict", small)
    assert torch.allclose(whole.predict(given), wanted, atol=1e-5)
    most[0] = 0
    with pytest.raises(DeviceMemoryError, match="--window"):
        whole.predict(given)


def test_models_see_when_and_where_each_window_was_taken(
    one: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, seen = scene(32, 80), []

    def context(row: int, column: int, height: int, width: int) -> Context:
        return Context(torch.tensor([[[2020, 5]]]), torch.tensor([[row, column + width / 2]]))

    predict = one.first.predict

    def noting(images: torch.Tensor, told: Context | None = None) -> Any:
        assert told is not None
        assert told.places is not None
        assert told.dates is not None
        seen.extend(told.places[:, 1].tolist())
        assert told.dates.shape == (len(images), 1, 2)
        return predict(images, told)

    monkeypatch.setattr(image, "context", context)
    monkeypatch.setattr(one.first, "predict", noting)
    run(image, one, tmp_path, batch=2)
    assert seen == [16, 40, 64]


def test_models_of_different_things_are_no_ensemble(folders: list[Path], tmp_path: Path) -> None:
    other = untrained(recipe("segmentation", data={"bands": ["blue", "red"]}), tmp_path)
    with pytest.raises(RequestError, match="take or give other things"):
        load_ensemble([folders[0], other])


def test_downscaled_maps_lie_on_the_finer_grid(tmp_path: Path) -> None:
    folder = untrained(recipe("downscaling"), tmp_path / "model")
    ensemble = load_ensemble([folder])
    model = ensemble.first
    finer, size = model.target.finer, model.size[0]
    bands = len(ensemble.description.bands)
    rng = np.random.default_rng(0)
    image = ArrayScene(rng.normal(0, 1, (bands, size, 2 * size)).astype(np.float32))
    run(image, ensemble, tmp_path, overlap=0)
    with rasterio.open(tmp_path / "scene_quantity.tif") as file:
        assert file.shape == (size * finer, 2 * size * finer)
        assert file.transform.a == image.transform.a / finer
        assert file.bounds == rasterio.transform.array_bounds(size, 2 * size, image.transform)
        assert file.descriptions == model.target.names
        found = file.read()
    halves = np.stack(np.split(image.pixels, 2, axis=2))
    wanted = np.concatenate(list(model.predict(torch.from_numpy(halves)).numpy()), axis=2)
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"outputs": ("quantity",)}, "Legal here: classes, probabilities, entropy"),
        ({"outputs": ("spread",)}, "take --ensemble"),
        ({"outputs": ("class",)}, "Did you mean 'classes'"),
        ({"threshold": 0.3}, "--threshold"),
        ({"by_window": True}, "--by-window"),
        ({"format": "csv"}, "--format"),
        ({"overlap": 32}, "Take 0 to 31"),
        ({"overlap": -1}, "Take 0 to 31"),
        ({"outputs": ()}, "--outputs: names none. Legal here: classes"),
        ({"batch": 0}, "--batch"),
        ({"jobs": 0}, "--jobs"),
    ],
)
def test_what_does_not_suit_maps_is_refused(
    one: Ensemble, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        run(scene(32, 32), one, tmp_path / "out", **options)
    assert not list(tmp_path.glob("out/*.tif"))


def test_a_folder_takes_one_process_at_a_time(one: Ensemble, tmp_path: Path) -> None:
    from iterate_core.inference.done import Records

    with Records(tmp_path).held(), pytest.raises(RequestError, match="is predicting into it"):
        run(scene(32, 32), one, tmp_path)
