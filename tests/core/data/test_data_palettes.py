"""Images of indices into a table of colours: colours in an image, labels in a mask."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image, opened
from door_support import Command, commands
from PIL import Image

COLOURS = np.array([[200, 10, 30], [0, 250, 60], [90, 80, 70]], np.uint8)
INDICES = np.random.default_rng(0).integers(0, 3, (8, 8), dtype=np.uint8)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands(monkeypatch, capsys)


def palette(path: Path, **options: Any) -> None:
    """Write the indices with their table: a PNG of mode P, or a GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Image.fromarray(INDICES)
    made.putpalette(COLOURS.tobytes())
    made.save(path, **options)


def colours(path: Path) -> None:
    image(path, np.moveaxis(COLOURS[INDICES], -1, 0))


def convert(run: Command, folder: Path) -> tuple[int, str]:
    said = run("data", "convert", str(folder), str(folder.parent / "out"), "--split", ".4,.3,.3")
    return said.code, said.line


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_palette_image_is_read_as_its_colours(suffix: str, run: Command, tmp_path: Path) -> None:
    for index in range(6):
        write = colours if index == 5 else palette  # both kinds, side by side
        write(tmp_path / f"x/{'ab'[index % 2]}/{index}{suffix if index < 5 else '.png'}")
    code, line = convert(run, tmp_path / "x")
    assert code == 0, line
    reader = opened(tmp_path / "out")
    assert [band.common for band in reader.info.bands] == ["red", "green", "blue"]
    for name in map(str, range(6)):
        sample = reader.read(name, ["red", "green", "blue"])
        np.testing.assert_array_equal(sample.image, np.moveaxis(COLOURS[INDICES], -1, 0))


def test_a_palette_mask_holds_labels(run: Command, tmp_path: Path) -> None:
    for index in range(6):
        colours(tmp_path / f"x/images/{index}.png")
        palette(tmp_path / f"x/masks/{index}.png")
    code, line = convert(run, tmp_path / "x")
    assert code == 0, line
    np.testing.assert_array_equal(opened(tmp_path / "out").read("0", ["red"]).target, INDICES)


def test_a_transparent_colour_is_refused_where_it_is_used(run: Command, tmp_path: Path) -> None:
    for index in range(6):
        palette(tmp_path / f"x/{'ab'[index % 2]}/{index}.png", transparency=1)
    code, line = convert(run, tmp_path / "x")
    assert code == 2
    assert "is a palette image whose colour 1 is transparent" in line
