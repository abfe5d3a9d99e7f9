"""Which scenes files, folders, patterns and names stand for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from scenes_support import model, numbers, opened, raster

from iterate_core.errors import DataError, RequestError
from iterate_core.inference.scenes.open import open_scene, scenes_of

NAMES = ("red", "nir")


def names(folder: Path, *files: str) -> list[str]:
    return [one.name for one in scenes_of([folder / file for file in files], model(NAMES))]


def test_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("b.tif", "a.TIF", "c.png", "in/d.tif"):
        raster(tmp_path / name, numbers(2, 4, 4), driver="PNG" if "png" in name else "GTiff")
    (tmp_path / "notes.txt").write_text("no image")
    assert names(tmp_path, ".") == ["a", "b", "c"]
    assert names(tmp_path, "*.tif", "c.png") == ["b", "c"]
    assert names(tmp_path, "**/*.tif") == ["b", "d"]
    assert names(tmp_path, "in", "b.tif") == ["d", "b"]


def test_every_scene_has_a_name_of_its_own(tmp_path: Path) -> None:
    for name in ("x/B.tif", "y/B.tif", "y/b.png", "z.tif"):
        raster(tmp_path / name, numbers(2, 4, 4), driver="PNG" if "png" in name else "GTiff")
    assert names(tmp_path, "x", "y", "z.tif", "x/B.tif") == ["x-B", "y-B", "y-b-2", "z"]


def test_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for files, told in (
        ([], "no file is named"),
        ([tmp_path / "*.tif"], "there is no such file"),
        ([tmp_path / "empty"], "holds no images"),
    ):
        with pytest.raises(RequestError, match=told):
            scenes_of(files, model(NAMES))


def test_a_file_that_is_not_there_or_broken_stops_itself_alone(tmp_path: Path) -> None:
    raster(tmp_path / "good.tif", numbers(2, 64, 64), NAMES, compress="deflate")
    content = (tmp_path / "good.tif").read_bytes()
    (tmp_path / "noise.tif").write_bytes(b"no image at all")
    requests = scenes_of(
        [tmp_path / name for name in ("good.tif", "noise.tif", "absent.tif")], model(NAMES)
    )
    open_scene(requests[0], model(NAMES)).read(0, 0, 4, 4)
    for request, told in zip(requests[1:], ("cannot be read", "no such file"), strict=True):
        with pytest.raises(DataError, match=told) as raised:
            open_scene(request, model(NAMES))
        assert raised.value.problems[0].where == request.source
    (tmp_path / "cut.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.tif: cannot be read"):
        opened(tmp_path / "cut.tif", model(NAMES)).read(0, 0, 64, 64)


def test_files_of_several_images_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    for page in range(2):
        raster(tmp_path / f"{page}.tif", numbers(1, 8, 8))
    with rasterio.open(tmp_path / "0.tif") as file:
        profile = file.profile
    for page in range(2):
        with rasterio.open(path, "w", **profile, append_subdataset=bool(page)) as file:
            file.write(numbers(1, 8, 8))
    with pytest.raises(DataError, match=r"holds 2 images, such as .*gdal_translate"):
        opened(path, model(NAMES))


def test_numbers_that_are_no_pixels(tmp_path: Path) -> None:
    path = raster(tmp_path / "a.tif", np.zeros((2, 4, 4), np.complex64), NAMES)
    with pytest.raises(DataError, match="holds complex64"):
        opened(path, model(NAMES))


def test_a_link_to_nothing_is_told_and_stops_itself_alone(tmp_path: Path) -> None:
    raster(tmp_path / "a.tif", numbers(2, 4, 4), NAMES)
    (tmp_path / "b.tif").symlink_to(tmp_path / "gone.tif")
    (tmp_path / "c.tif").mkdir()
    assert names(tmp_path, ".") == names(tmp_path, "*.tif") == ["a", "b"]
    with pytest.raises(DataError, match=r"b\.tif: is a link to .*gone\.tif, which is not there"):
        opened(tmp_path / "b.tif", model(NAMES))


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        (Affine(10, 0, 0, 0, 10, 0), "its first row lies in the south: the model sees it"),
        (Affine(-10, 0, 0, 0, 10, 0), "in the south and its first column lies in the east"),
        (Affine(10, 0, 0, 0, -10, 0), None),
    ],
)
def test_a_scene_that_does_not_begin_in_the_north_west_is_told(
    tmp_path: Path, grid: Affine, told: str | None
) -> None:
    path = raster(tmp_path / "a.tif", numbers(2, 4, 4), NAMES, transform=grid)
    notes = opened(path, model(NAMES), unit="dn").notes
    assert any("mirrored" in note for note in notes) == (told is not None)
    assert told is None or any(told in note for note in notes)
    path = raster(tmp_path / "b.tif", numbers(2, 4, 4), NAMES, placed=False)
    assert not any("mirrored" in note for note in opened(path, model(NAMES)).notes)
