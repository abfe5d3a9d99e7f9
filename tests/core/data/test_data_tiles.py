"""Samples of several sizes: cropped or padded about their centre, with what they are labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image
from engine_support import RGB, recipe
from typer.testing import CliRunner

from iterate.cli.data.app import app
from iterate_core.data.convert.convert import convert
from iterate_core.data.dataset import Boxes, DatasetInfo, Sample, Split
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.options import DataSection
from iterate_core.data.store.pack import pack
from iterate_core.data.target import target_of
from iterate_core.data.tile import Tile
from iterate_core.data.tiled import Tiled
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError

SIZES = ((3, 5), (4, 4), (9, 2), (6, 7))


class SeveralSizes:
    """Samples of the sizes above; the first row of each is 0, the second 1, …"""

    def __init__(self, task: str, targets: Any) -> None:
        classes = ("a", "b")[: 1 if task == "regression" else 2]
        self.info = DatasetInfo("several", task, classes, RGB, dict.fromkeys(("train",), 4), 3, 5)
        self._targets = targets

    def names(self, split: Split) -> list[str]:
        del split
        return [str(number) for number in range(len(SIZES))]

    def read(self, name: str, bands: Any) -> Sample:
        height, width = SIZES[int(name)]
        rows = np.arange(height, dtype=np.float32)[None, :, None]
        pixels = np.broadcast_to(rows, (len(bands), height, width)).copy()
        return Sample(name, pixels, self._targets(height, width))

    def fingerprint(self) -> str:
        return "several"


def rows(height: int, width: int) -> Any:
    return np.broadcast_to(np.arange(height)[:, None] % 2, (height, width))


def tiled(task: str, targets: Any, size: int = 4) -> list[Sample]:
    reader = Tiled(SeveralSizes(task, targets), size)
    return [reader.read(name, ["red"]) for name in reader.names("train")]


def test_images_are_cropped_or_repeat_their_borders() -> None:
    columns = [sample.image[0, :, 0].tolist() for sample in tiled("classification", lambda *_: 1)]
    # Of 3 rows the last is repeated; of 9 the middle four are left, of 6 too.
    assert columns == [[0, 1, 2, 2], [0, 1, 2, 3], [3, 4, 5, 6], [1, 2, 3, 4]]
    assert {sample.image.shape for sample in tiled("segmentation", rows)} == {(1, 4, 4)}


def test_where_the_image_does_not_reach_no_target_is_known() -> None:
    mask = tiled("segmentation", rows)[0].target
    assert isinstance(mask, np.ndarray)
    assert mask.tolist() == [[0] * 4, [1] * 4, [0] * 4, [255] * 4]
    quantities = tiled("regression", rows)[2].target
    assert isinstance(quantities, np.ndarray)
    expected = [[np.nan, row, row, np.nan] for row in (1.0, 0.0, 1.0, 0.0)]
    np.testing.assert_array_equal(quantities, expected)


@pytest.mark.parametrize("size", [3, 4, 7, 12])
def test_cells_of_a_finer_grid_lie_on_their_pixels(size: int) -> None:
    height, width, finer = 6, 9, 3
    image = np.arange(1.0, 1 + height * width, dtype=np.float32).reshape(1, height, width)
    parts = np.arange(finer**2).reshape(1, finer, finer) / 10
    cells = np.stack(
        [np.kron(image[0], np.ones((finer, finer))), np.tile(parts[0], image[0].shape)]
    )
    info = DatasetInfo("d", "downscaling", ("a", "b"), RGB, {}, height, width, finer=finer)
    tile = Tile(size, (height, width))
    laid = target_of(info).laid(cells, tile, "here")
    seen = tile.lay(image, np.nan)[0]
    assert laid.shape == (2, size * finer, size * finer)
    np.testing.assert_array_equal(laid[0], np.kron(seen, np.ones((finer, finer))))
    known = np.where(np.isnan(laid[0]), np.nan, np.tile(parts[0], seen.shape))
    np.testing.assert_array_equal(laid[1], known)
    with pytest.raises(
        DataError, match=r"here: has a target of shape \(18, 27\), not \(2, 18, 27\)"
    ):
        target_of(info).laid(cells[0], tile, "here")


def test_boxes_and_their_masks_move_with_the_image() -> None:
    def objects(height: int, width: int) -> Boxes:
        corners = [[0, 0, width, 2], [0, height - 1, 1, height]]
        masks = np.zeros((2, height, width), np.uint8)
        masks[0, :2], masks[1, -1, 0] = 1, 1
        return Boxes(np.array(corners, np.float32), np.array([1, 0]), masks)

    for sample in tiled("instance", objects):
        found = sample.target
        assert isinstance(found, Boxes)
        assert found.masks is not None
        for (left, top, right, bottom), mask in zip(found.corners, found.masks, strict=True):
            inside = np.zeros((4, 4), np.uint8)
            inside[int(top) : int(bottom), int(left) : int(right)] = 1
            np.testing.assert_array_equal(mask, inside)
    told = [sample.target for sample in tiled("detection", objects)]
    assert [one.labels.tolist() for one in told if isinstance(one, Boxes)] == [
        [1], [1, 0], [], [1]
    ]  # fmt: skip


def test_a_mask_of_another_size_than_its_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sample 0: has a target of shape \(2, 2\), not \(3, 5\)"):
        tiled("segmentation", lambda *_: np.zeros((2, 2), int))
    with pytest.raises(DataError, match=r"is \(4, 4\) pixels, not \(3, 5\).*data\.tile"):
        pack(SeveralSizes("segmentation", rows), None, tmp_path).images("train")


def test_centre_lies_on_centre_within_half_a_pixel() -> None:
    for length in range(1, 12):
        for size in range(1, 12):
            start = Tile(size, (length, length)).corner[0]
            assert start + length / 2 - size / 2 in (0, -0.5)


def test_a_recipe_says_it_of_any_dataset() -> None:
    small = recipe("segmentation")
    data = small.data.model_copy(update={"tile": 16})
    prepared = prepare(small.model_copy(update={"data": data}))
    assert isinstance(data, DataSection)
    assert prepared.pack.images("val").shape[-2:] == (16, 16)
    assert np.asarray(prepared.pack.targets("val")).shape[-2:] == (16, 16)
    whole = prepare(small)
    assert whole.pack.folder != prepared.pack.folder
    np.testing.assert_array_equal(
        prepared.pack.images("val"), whole.pack.images("val")[..., 8:24, 8:24]
    )


def test_a_recipe_says_it_of_a_finer_grid_too() -> None:
    drawn = {"name": "generated", "kind": "downscaling", "samples": (2, 1, 1), "size": 17}
    data = {**drawn, "finer": 2}
    model = {"decoder": {"name": "linear"}}
    whole, cut = (
        prepare(recipe("segmentation", data={**data, **tile}, model=model)).pack
        for tile in ({}, {"tile": 8})
    )
    np.testing.assert_array_equal(cut.images("val"), whole.images("val")[..., 5:13, 5:13])
    np.testing.assert_array_equal(cut.targets("val"), whole.targets("val")[..., 10:26, 10:26])


def test_folders_of_several_sizes_are_converted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(12):
        height, width = SIZES[number % 4]
        image(
            tmp_path / f"from/images/{number}.png", rng.integers(0, 9, (3, height, width), np.uint8)
        )
        image(tmp_path / f"from/masks/{number}.png", rows(height, width)[None].astype(np.uint8))
    with pytest.raises(DataError, match="one size and type: see the option tile"):
        convert(tmp_path / "from", tmp_path / "refused", classes=["even", "odd"])
    words = ["convert", str(tmp_path / "from"), str(tmp_path / "to"), "--tile", "4"]
    done = CliRunner().invoke(app, [*words, "--classes", "even,odd"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    reader = GeoBenchV1(GeoBenchV1Data(root=tmp_path / "to"))
    assert (reader.info.height, reader.info.width) == (4, 4)
    assert any("cropped or padded about its centre to 4×4" in note for note in reader.info.notes)
    target = reader.read("0", ["red"]).target
    assert isinstance(target, np.ndarray)
    assert target.tolist() == [[0] * 4, [1] * 4, [0] * 4, [255] * 4]
