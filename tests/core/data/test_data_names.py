"""Names of converted samples: no control character becomes a file's name, no change is silent."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image, opened

from iterate_core.data.convert.convert import convert

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 3, 4, 4)).astype(np.uint8)


def converted(folder: Path, names: list[str]) -> Any:
    labels, split = [0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2]
    np.savez(folder / "x.npz", images=PIXELS, labels=labels, split=split, names=names)
    convert(folder / "x.npz", folder / "out")
    return opened(folder / "out")


def notes_of(reader: Any) -> list[str]:
    return [note for note in reader.info.notes if "name" in note and "changed" in note]


def test_control_characters_are_written_out_and_told(tmp_path: Path) -> None:
    reader = converted(tmp_path, ["a\x1b[31m", "b\nc", *"defg"])
    assert list(reader.names("train")) == ["a\\x1b[31m", "b\\nc"]
    assert all(path.name.isprintable() for path in (tmp_path / "out").iterdir())
    (note,) = notes_of(reader)
    assert note.startswith("2 sample names were changed, such as")
    assert note.isprintable()


@pytest.mark.parametrize("second", ["a", "..", "x" * 300])
def test_numbers_in_place_of_equal_and_unsafe_names_are_told(second: str, tmp_path: Path) -> None:
    reader = converted(tmp_path, ["a", second, *"defg"])
    assert list(reader.names("train")) == ["sample_000000", "sample_000001"]
    (note,) = notes_of(reader)
    assert note.startswith("6 sample names were changed, such as 'a' to 'sample_000000'")


def test_good_names_are_kept_without_a_word(tmp_path: Path) -> None:
    reader = converted(tmp_path, [*"abcdef"])
    assert list(reader.names("train")) == ["a", "b"]
    assert notes_of(reader) == []


def test_files_with_control_characters_in_their_names_are_told(tmp_path: Path) -> None:
    for index, pixels in enumerate(PIXELS):
        stem = "x\ty" if index == 3 else str(index)
        image(tmp_path / f"x/{'ab'[index % 2]}/{stem}.png", pixels)
    convert(tmp_path / "x", tmp_path / "out", split="0.4,0.3,0.3")
    reader = opened(tmp_path / "out")
    assert (tmp_path / "out/x\\ty.hdf5").is_file()
    (note,) = notes_of(reader)
    assert note.startswith("1 sample name was changed")
