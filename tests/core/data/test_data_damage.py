"""Damaged, forged and oversized files: a sentence each, before memory is taken."""

import io
import json
import os
import signal
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
from geobench_v2_support import written as written_v2
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from iterate_core.data.convert.convert import convert
from iterate_core.data.convert.images import read_image
from iterate_core.data.generated.reader import GeneratedData, generate
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.data.geobench_v2.synthetic.writer import geotiff_file
from iterate_core.errors import DataError

NOISE = np.random.default_rng(0).integers(0, 255, (3, 32, 32), dtype=np.uint8)
IMAGES: dict[str, dict[str, Any]] = {
    "rgb.png": {},
    "grey.png": {"count": 1},
    "sixteen.png": {"count": 1, "dtype": "uint16"},
    "plain.tif": {},
    "deflate.tif": {"compress": "deflate"},
    "lzw.tif": {"compress": "lzw", "dtype": "int16"},
    "tiled.tif": {"compress": "zstd", "tiled": True, "blockxsize": 16, "blockysize": 16},
    "inside.tif": {"compress": "jpeg"},
    "rgb.jpg": {},
}


def written(path: Path, count: int = 3, dtype: str = "uint8", **options: Any) -> Path:
    driver = {".png": "PNG", ".tif": "GTiff", ".jpg": "JPEG"}[path.suffix]
    profile = {"count": count, "height": 32, "width": 32, "dtype": dtype, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver=driver, **profile) as file:
            file.write(NOISE[:count].astype(dtype))
    return path


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_cut_anywhere_is_an_error_and_never_other_pixels(
    name: str, tmp_path: Path
) -> None:
    path = written(tmp_path / name, **IMAGES[name])
    whole, content = read_image(path), path.read_bytes()
    refused = 0
    for cut in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:cut])
        try:
            np.testing.assert_array_equal(read_image(path), whole)
        except DataError as error:
            assert name in str(error)  # noqa: PT017 - either outcome is right, no other is
            refused += 1
    assert refused >= 59  # the last bytes of a file may say nothing of its pixels


@pytest.mark.parametrize("name", ["rgb.png", "grey.png", "sixteen.png"])
def test_a_changed_byte_of_a_png_is_an_error(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / name, **IMAGES[name])
    content = path.read_bytes()
    for place in np.linspace(8, len(content) - 13, 40).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(DataError, match=name):
            read_image(path)


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(path: Path, side: int, rows: int) -> Path:
    """A grey PNG of `side` pixels whose stream, whole and summed, ends after some rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    stream = zlib.compress(bytes(rows * (side + 1)))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", stream), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_a_png_that_ends_early_though_every_sum_is_right(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: is not a readable PNG image"):
        read_image(png(tmp_path / "a.png", 64, 20))


def test_half_a_png_does_not_become_a_dataset(tmp_path: Path) -> None:
    for label in ("land", "sea"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(NOISE.transpose(1, 2, 0)).save(
                tmp_path / "in" / label / f"{label}{number}.png"
            )
    half = tmp_path / "in/sea/sea1.png"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    with pytest.raises(DataError, match=r"sea1\.png: is not a readable PNG image"):
        convert(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: would unpack to 3\.6 GB .*cut it into tiles"):
        read_image(png(tmp_path / "a.png", 60_000, 1))


def npy(shape: tuple[int, ...], descr: str = "|u1", content: bytes = b"") -> bytes:
    made = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(made, header)
    return made.getvalue() + content


def npz(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "images",
    [
        npy((10**12,)),
        npy((10**30, 10**30)),
        npy((-1, 4), content=bytes(8)),
        npy((4,), "|O", bytes(8)),
        npy((4,), "nonsense"),
        npy((5,), content=bytes(4)),
        b"\x93NUMPY\x01\x00\xff\xff{" + b"(" * 65534,
        b"\x93NUMPY\x09\x00",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': 1 /   ",
        b"",
    ],
)
def test_a_forged_header_is_refused(images: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.npz: is not a readable \.npz file"):
        convert(npz(tmp_path / "x.npz", images=images), tmp_path / "out")


def test_what_is_no_array_or_there_twice_is_not_passed_over(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("notes.txt", "hello")
    with pytest.raises(DataError, match=r"holds 'notes\.txt', which is no array"):
        convert(tmp_path / "x.npz", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as file:
        file.writestr("images.npy", npy((0,)))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("images.npy", npy((0,)))
    with pytest.raises(DataError, match=r"holds 'images\.npy' twice"):
        convert(tmp_path / "y.npz", tmp_path / "out")


def test_a_file_that_unpacks_to_more_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iterate_core.storage.limits.memory_bytes", lambda: 1_000_000)
    path = tmp_path / "x.npz"
    np.savez_compressed(path, images=np.zeros((9, 1, 300, 300), np.uint8), labels=[0, 1, 0] * 3)
    with pytest.raises(DataError, match=r"unpacks to 810\.\d kB, but this machine has 1\.0 MB"):
        convert(path, tmp_path / "out")


@pytest.mark.parametrize("task", ["labels", "masks"])
def test_one_label_of_a_thousand_million_is_refused(task: str, tmp_path: Path) -> None:
    target = np.zeros((9, 4, 4) if task == "masks" else 9, np.int64)
    target[0] = 10**9
    content = {"images": np.zeros((9, 4, 4, 3), np.uint8), task: target}
    np.savez(tmp_path / "x.npz", **content)  # type: ignore[arg-type]
    with pytest.raises(
        DataError, match=r"x\.npz: has the label 1000000000; .*below 65536.*--classes"
    ):
        convert(tmp_path / "x.npz", tmp_path / "out")


def scenes(root: Path) -> Path:
    generate(GeneratedData(kind="segmentation", samples=(4, 2, 2), size=16), root)
    return root


@pytest.mark.parametrize("key", ["02 - Blue", "label"])
def test_an_array_that_unpacks_to_gigabytes_is_refused(key: str, tmp_path: Path) -> None:
    root = scenes(tmp_path / "set")
    first = GeoBenchV1(GeoBenchV1Data(root=root)).names("train")[0]
    with h5py.File(root / f"{first}.hdf5", "a") as file:
        del file[key]
        file.create_dataset(key, (40_000, 40_000), "u1", chunks=(4000, 4000), compression="gzip")
    with pytest.raises(DataError, match=rf"{key}': would unpack to 1\.6 GB"):
        GeoBenchV1(GeoBenchV1Data(root=root))


def a_sample(root: Path) -> Path:
    names = GeoBenchV1(GeoBenchV1Data(root=root)).names("train")
    return root / f"{names[0]}.hdf5"


@pytest.fixture
def impatient() -> Iterator[None]:
    """Whoever waits for a pipe is woken with an error."""

    def wake(*_: Any) -> None:
        raise TimeoutError("waits for a pipe")

    before = signal.signal(signal.SIGALRM, wake)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("which", [a_sample, lambda root: root / "dataset.json"])
def test_a_pipe_in_a_dataset_is_refused_and_not_waited_for(
    which: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = scenes(tmp_path / "set")
    path = which(root)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=f"{path.name}: is a pipe"):
        GeoBenchV1(GeoBenchV1Data(root=root))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["x.npz", "in/a/1.png"])
def test_a_pipe_as_a_source_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    source = tmp_path / name.split("/", maxsplit=1)[0]
    with pytest.raises(DataError, match=f"{path.name}: is a pipe"):
        convert(source, tmp_path / "out")


@pytest.mark.usefixtures("impatient")
def test_a_pipe_as_a_tortilla_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.tortilla")
    with pytest.raises(DataError, match=r"x\.tortilla: is a pipe"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path / "x.tortilla", dataset="flair2"))


def test_a_class_s_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    generate(GeneratedData(samples=(3, 1, 1), size=16), tmp_path / "set")
    (tmp_path / "set/dataset.json").unlink()
    (tmp_path / "set/label_map.json").write_text(json.dumps({"9" * 5000: []}))
    with pytest.raises(DataError, match=r"label_map\.json: numbers a class with 5000 digits"):
        GeoBenchV1(GeoBenchV1Data(root=tmp_path / "set"))


def test_a_date_of_thousands_of_digits_is_no_date(tmp_path: Path) -> None:
    image = geotiff_file("planet_" + "9" * 5000, np.ones((4, 4, 4), np.uint16))
    written_v2(tmp_path, "dynamic_earthnet", [image])
    with pytest.raises(DataError, match="lacks the file planet_0"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="dynamic_earthnet"))
