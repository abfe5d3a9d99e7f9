"""Tortilla files that are truncated, damaged or hostile."""

import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tortilla_support import contents, everything, samples, table, tiny

from iterate_core.data.geobench_v2 import leaves
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.data.geobench_v2.synthetic.writer import NewFile, geotiff_file, write_sums
from iterate_core.data.geobench_v2.tortilla import content, opened, read_samples
from iterate_core.errors import DataError

Find = Callable[[str], Path]
REAL = ("benv2", "flair2", "pastis", "everwatch", "wind_turbine")
QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("dataset", REAL)
def test_a_truncated_file_is_refused(shared_data: Find, dataset: str, tmp_path: Path) -> None:
    raw = shared_data(f"geobench_v2/{dataset}.tortilla").read_bytes()
    copy = tmp_path / f"{dataset}.tortilla"
    for length in (0, 1, 17, 200, len(raw) // 2, len(raw) - 9000, len(raw) - 1):
        copy.write_bytes(raw[:length])
        with pytest.raises(DataError, match=rf"{dataset}\.tortilla"):
            GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset=dataset))


@pytest.mark.parametrize("dataset", REAL)
def test_with_checksums_any_damage_is_an_error(
    shared_data: Find, dataset: str, tmp_path: Path
) -> None:
    original = shared_data(f"geobench_v2/{dataset}.tortilla")
    raw = original.read_bytes()
    copy = tmp_path / original.name
    copy.write_bytes(raw)
    write_sums([copy])
    right = everything(tmp_path, dataset)

    @settings(QUICK, max_examples=15)
    @given(st.integers(0, len(raw) - 1), st.integers(1, 255), st.booleans())
    def damage(place: int, change: int, cut: bool) -> None:
        damaged = bytearray(raw)
        damaged[place] ^= change
        copy.write_bytes(damaged[:place] if cut else damaged)
        with pytest.raises(DataError):
            everything(tmp_path, dataset)

    damage()
    copy.write_bytes(raw)
    assert everything(tmp_path, dataset) == right


@pytest.mark.parametrize("dataset", REAL)
def test_without_checksums_damage_outside_the_pixels_can_change_only_a_name(
    shared_data: Find, dataset: str, tmp_path: Path
) -> None:
    """In the headers and in the outer table: no sample is lost, moved to another split, or mixed.

    Nothing tells what a sample's identifier should be, and nothing depends on it.
    """
    original = shared_data(f"geobench_v2/{dataset}.tortilla")
    raw = original.read_bytes()
    copy = tmp_path / original.name
    right = everything(original, dataset)
    (end,) = struct.unpack("<Q", raw[2:10])
    first = next(iter(table(raw)))["tortilla:offset"]
    places = st.one_of(
        st.integers(0, 17), st.integers(first, first + 17), st.integers(end, len(raw) - 1)
    )

    @QUICK
    @given(places, st.integers(0, 7))
    def damage(place: int, bit: int) -> None:
        damaged = bytearray(raw)
        damaged[place] ^= 1 << bit
        copy.write_bytes(damaged)
        try:
            found = everything(tmp_path, dataset)
        except DataError:
            return
        assert contents(found) == contents(right)

    damage()


@pytest.mark.parametrize("dataset", ["flair2", "pastis", "everwatch"])
def test_no_damage_crashes_a_leaf_reader(shared_data: Find, dataset: str) -> None:
    _, files = next(samples(shared_data(f"geobench_v2/{dataset}.tortilla")))
    name = {"flair2": "mask", "pastis": "semantic", "everwatch": "annotations"}[dataset]
    raw = files[name][1]

    @settings(QUICK, max_examples=150)
    @given(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=4),
           st.integers(0, len(raw)))  # fmt: skip
    def damage(changes: list[tuple[int, int]], length: int) -> None:
        damaged = bytearray(raw)
        for place, value in changes:
            damaged[place] = value
        for whole in (bytes(damaged), bytes(damaged[:length])):
            try:
                if dataset == "flair2":
                    assert leaves.read_geotiff(whole, "here", 1).ndim == 3
                elif dataset == "pastis":
                    assert leaves.read_hdf5(whole, "here", 3).ndim == 3
                else:
                    leaves.read_columns(whole, "here", ["xmin", "label"])
            except DataError:
                pass

    damage()


@given(st.binary(max_size=400))
@QUICK
def test_foreign_bytes_are_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "foreign.tortilla"
    for whole in (raw, b"#y" + raw, b"#y" + struct.pack("<QQ", 200, 100) + raw):
        path.write_bytes(whole)
        with pytest.raises(DataError, match="foreign"):
            read_samples(path)


def test_a_table_that_points_outside_is_refused(tmp_path: Path) -> None:
    for offset, length in ((0, 50), (200, 10**12), (2**62, 2**62), (200, -1), (150, 60)):
        row = {
            "tortilla:id": ["x"], "tortilla:file_format": ["TORTILLA"],
            "tortilla:data_split": ["train"], "tortilla:offset": [offset],
            "tortilla:length": [length],
        }  # fmt: skip
        buffer = io.BytesIO()
        parquet.write_table(pa.table(row), buffer)
        end = buffer.getvalue()
        path = tmp_path / "far.tortilla"
        head = b"#y" + struct.pack("<QQQ", 300, len(end), 1)
        path.write_bytes(head.ljust(300, b"\0") + end)
        with pytest.raises(DataError, match="outside 200 to 300"):
            read_samples(path)


def test_a_third_level_and_a_flat_file_are_refused(tmp_path: Path) -> None:
    inner = NewFile("deep", "TORTILLA", b"#y" + b"\0" * 300)
    path = tiny(tmp_path / "geobench_burn_scars.tortilla", [inner])
    write_sums([path])
    with pytest.raises(DataError, match="nests a sample 'deep' inside a sample"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="burn_scars"))
    whole = tiny(tmp_path / "whole.tortilla")
    sample = read_samples(whole)[0]
    flat = tmp_path / "flat.tortilla"
    flat.write_bytes(whole.read_bytes()[sample.offset :][: sample.length])
    with pytest.raises(DataError, match="lists 'image' of format 'GTiff' where a sample must be"):
        read_samples(flat)


def test_a_file_that_contradicts_itself_is_damaged_unless_its_checksum_is_right(
    tmp_path: Path,
) -> None:
    """Publishers copy samples from file to file without rewriting the tables inside them."""
    source = tiny(tmp_path / "source.tortilla", seven_bands())
    path = tmp_path / "geobench_burn_scars.tortilla"
    with opened(source) as handle:
        moved = content(handle, read_samples(source)[2])
    rewritten(path, {"train": moved, "validation": moved, "test": moved})
    write_sums([path])
    reader = GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="burn_scars"))
    assert reader.read("strain", ["B12"]).image.shape == (1, 4, 4)
    (tmp_path / "SHA256SUMS").unlink()
    path.rename(tmp_path / "burn_scars.tortilla")
    with pytest.raises(DataError, match="is of split 'train', but its 'image' says 'test'"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="burn_scars"))
    source.rename(tmp_path / "burn_scars.tortilla")
    with pytest.raises(DataError, match="has 7 bands, not 6"):
        everything(tmp_path, "burn_scars")


def seven_bands() -> list[NewFile]:
    image = geotiff_file("image", np.full((7, 4, 4), 0.25, np.float32))
    return [image, geotiff_file("label", np.ones((1, 4, 4), np.int16))]


def rewritten(path: Path, blobs: dict[str, bytes]) -> None:
    """A file of samples that are copied as they are."""
    offsets = [200 + sum(map(len, list(blobs.values())[:index])) for index in range(len(blobs))]
    columns = {
        "tortilla:id": [f"s{split}" for split in blobs],
        "tortilla:file_format": ["TORTILLA"] * len(blobs),
        "tortilla:data_split": list(blobs),
        "tortilla:length": [len(blob) for blob in blobs.values()],
        "tortilla:offset": offsets,
    }
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    payload, end = b"".join(blobs.values()), buffer.getvalue()
    head = b"#y" + struct.pack("<QQQ", 200 + len(payload), len(end), 1)
    path.write_bytes(head.ljust(200, b"\0") + payload + end)


def test_the_table_of_a_sample_may_do_without_the_split(tmp_path: Path) -> None:
    source = tiny(tmp_path / "source.tortilla")
    item = read_samples(source)[0]
    blob = source.read_bytes()[item.offset :][: item.length]
    (end,) = struct.unpack("<Q", blob[2:10])
    buffer = io.BytesIO()
    kept = parquet.read_table(io.BytesIO(blob[end:])).drop_columns(["tortilla:data_split"])
    parquet.write_table(kept, buffer)
    head = b"#y" + struct.pack("<QQQ", end, len(buffer.getvalue()), 1)
    bare = head.ljust(200, b"\0") + blob[200:end] + buffer.getvalue()
    rewritten(tmp_path / "burn_scars.tortilla", {"train": bare, "validation": bare, "test": bare})
    assert len(everything(tmp_path, "burn_scars")) == 3


def test_few_bytes_cannot_ask_for_all_of_the_memory() -> None:
    small = geotiff_file("a", np.zeros((1, 8, 8), np.uint8)).content
    tag = struct.pack("<HHIHH", 256, 3, 1, 8, 0)  # ImageWidth 8
    assert tag in small
    for side in (60_000, 65_535):
        huge = small.replace(tag, struct.pack("<HHIHH", 256, 3, 1, side, 0))
        huge = huge.replace(
            struct.pack("<HHIHH", 257, 3, 1, 8, 0), struct.pack("<HHIHH", 257, 3, 1, side, 0)
        )
        with pytest.raises(DataError, match=r"would unpack to|not a readable GeoTIFF"):
            leaves.read_geotiff(huge, "here", 1)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("data", (3, 100_000, 100_000), np.uint8, chunks=(1, 64, 64))
    with pytest.raises(DataError, match="would unpack to"):
        leaves.read_hdf5(buffer.getvalue(), "here", 3)


def test_hdf5_does_not_lead_out_of_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.ones((2, 2))
    for make in (
        lambda file: file.__setitem__("data", h5py.ExternalLink(tmp_path / "other.h5", "data")),
        lambda file: file.__setitem__("data", h5py.SoftLink("/elsewhere")),
        lambda file: file.create_dataset(
            "data", (2, 2), "u1", external=[(str(tmp_path / "other.h5"), 0, 4)]
        ),
        lambda file: file.create_virtual_dataset("data", _virtual(tmp_path / "other.h5")),
        lambda file: file.create_group("data"),
        lambda file: file.__setitem__("data", [["text"]]),
        lambda file: None,
    ):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            make(file)
        with pytest.raises(DataError, match="here: "):
            leaves.read_hdf5(buffer.getvalue(), "here", 2)


def _virtual(path: Path) -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((2, 2), "f8")
    layout[:] = h5py.VirtualSource(path, "data", (2, 2))
    return layout


def test_only_a_geotiff_is_read_as_one(tmp_path: Path) -> None:
    """A file that is a recipe for GDAL would lead to other files."""
    (tmp_path / "secret.tif").write_bytes(geotiff_file("a", np.ones((1, 2, 2), np.uint8)).content)
    recipe = (
        '<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{tmp_path}/secret.tif</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(DataError, match="is not a readable GeoTIFF file"):
        leaves.read_geotiff(recipe.encode(), "here", 1)


def test_a_pickle_is_text_like_any_other(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "exploded"),))

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["annotation"] = np.void(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="must hold a JSON mapping"):
        leaves.read_annotation(buffer.getvalue(), "here")
    assert not (tmp_path / "exploded").exists()


def test_annotations_are_json_mappings() -> None:
    for text in ("[1, 2]", "not json", json.dumps("text")):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.attrs["annotation"] = text
        with pytest.raises(DataError, match="here: "):
            leaves.read_annotation(buffer.getvalue(), "here")
