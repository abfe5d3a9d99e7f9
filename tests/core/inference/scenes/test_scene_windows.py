"""Any rectangle of a scene is that of the whole image, mirrored beyond its edges."""

from __future__ import annotations

import multiprocessing
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform
from scenes_support import DEGREES, UTM, model, numbers, opened, raster

from iterate_core.inference.scenes.base import Scene
from iterate_core.inference.scenes.mirrored import stretch

NAMES = ("nir", "blue", "red")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    path = tmp_path_factory.mktemp("scene") / "a.tif"
    raster(
        path, numbers(3, 23, 37), ("red", "nir", "blue"), tiled=True, blockxsize=16, blockysize=16
    )
    return opened(path, model(NAMES))


@settings(max_examples=150, deadline=None)
@given(
    row=st.integers(-90, 90), column=st.integers(-90, 90),
    height=st.integers(1, 60), width=st.integers(1, 60),
)  # fmt: skip
def test_a_rectangle_is_a_slice_of_the_mirrored_image(
    scene: Scene, row: int, column: int, height: int, width: int
) -> None:
    piece = scene.read(row, column, height, width)
    image = numbers(3, 23, 37)[[1, 2, 0]].astype(np.float32)
    far = 150
    padded = np.pad(image, ((0, 0), (far, far), (far, far)), mode="reflect")
    inside = np.pad(np.ones((23, 37), bool), far)
    across = np.s_[far + row : far + row + height, far + column : far + column + width]
    assert piece.pixels.dtype == np.float32
    assert np.array_equal(piece.pixels, padded[:, *across])
    assert np.array_equal(piece.valid, inside[across])


def test_a_single_row_stands_for_all() -> None:
    run = stretch(-3, 5, 1)
    assert (run.start, run.stop) == (0, 1)
    assert run.taken.tolist() == [0] * 5
    assert run.inside.tolist() == [False, False, False, True, False]


def test_only_what_a_window_takes_is_read() -> None:
    run = stretch(990, 20, 1000)
    assert (run.start, run.stop) == (989, 1000)


def test_threads_and_processes_read_alike(scene: Scene) -> None:
    asked = [(row, column, 16, 16) for row in range(-4, 20, 4) for column in range(-4, 30, 5)]
    alone = [scene.read(*one).pixels for one in asked]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda one: scene.read(*one).pixels, asked))
    assert all(map(np.array_equal, alone, together))
    other = pickle.loads(pickle.dumps(scene))
    assert np.array_equal(other.read(*asked[3]).pixels, alone[3])
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as processes:
        forked = processes.starmap(scene.read, asked)
    assert all(np.array_equal(one.pixels, own) for one, own in zip(forked, alone, strict=True))


def test_it_lies_where_its_file_lies(scene: Scene) -> None:
    assert (scene.height, scene.width) == (23, 37)
    assert scene.crs == UTM
    assert scene.transform == Affine(10, 0, 500_000, 0, -10, 5_000_000)
    context = scene.context(0, 0, 10, 20)
    assert context is not None
    assert context.places is not None
    assert context.dates is None
    (longitude,), (latitude,) = transform(UTM, DEGREES, [500_100], [4_999_950])
    assert context.places.shape == (1, 2)
    assert context.places[0].tolist() == pytest.approx([latitude, longitude], abs=1e-4)


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        (Affine(1e-4, 0, 11.0, 0, -1e-4, 48.0), (47.9995, 11.001)),
        (Affine(0, 1e-4, 11.0, 1e-4, 0, 48.0), (48.001, 11.0005)),
    ],
)
def test_places_in_degrees_and_of_turned_images(
    tmp_path: Path, grid: Affine, expected: tuple[float, float]
) -> None:
    path = raster(tmp_path / "a.tif", numbers(3, 30, 30), NAMES, crs=DEGREES, transform=grid)
    found = opened(path, model(NAMES))
    context = found.context(0, 0, 10, 20)
    assert context is not None
    assert context.places is not None
    assert context.places[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_an_image_that_lies_nowhere(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(3, 8, 9), NAMES, placed=False)
    found = opened(path, model(NAMES, places=True))
    assert found.crs is None
    assert found.context(0, 0, 8, 9) is None
    assert any("no coordinate system, so that the model is not told" in n for n in found.notes)


def test_points_on_the_ground_are_told_of(tmp_path: Path) -> None:
    points = [
        GroundControlPoint(row, column, 11 + column / 100, 48 - row / 100)
        for row, column in ((0, 0), (0, 9), (8, 0), (8, 9))
    ]
    path = raster(tmp_path / "a.tif", numbers(3, 8, 9), NAMES, placed=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "r+") as file:
            file.gcps = points, DEGREES
    found = opened(path, model(NAMES))
    assert found.crs is None
    assert any("but ground control points, which are not used" in note for note in found.notes)


def test_when_it_was_taken_is_said(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(3, 8, 9), NAMES)
    described = model(NAMES, dates=True)
    assert any("--dates" in note for note in opened(path, described).notes)
    found = opened(path, described, dates=("2020-07-11",))
    context = found.context(0, 0, 8, 9)
    assert context is not None
    assert context.dates is not None
    assert context.dates.tolist() == [[[2020, 193]]]
    assert not any("--dates" in note for note in found.notes)


def test_pixels_of_another_size_are_told(tmp_path: Path) -> None:
    grid = Affine(30, 0, 500_000, 0, -30, 5_000_000)
    found = opened(
        raster(tmp_path / "a.tif", numbers(3, 8, 9), NAMES, transform=grid), model(NAMES)
    )
    assert any("30 m wide; the model was trained on 10 m" in note for note in found.notes)


def test_what_a_file_holds_fixes_its_fingerprint(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", numbers(3, 8, 9), NAMES)
    described = model(NAMES)
    first = opened(path, described).fingerprint()
    assert opened(path, described).fingerprint() == first
    assert opened(path, described, nodata=7.0).fingerprint() != first
    raster(path, numbers(3, 8, 10), NAMES)
    assert opened(path, described).fingerprint() != first
