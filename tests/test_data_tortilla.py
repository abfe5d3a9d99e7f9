"""The tortilla container and the files inside it: whole, truncated, damaged and hostile."""

import hashlib
import io
import json
import pickle
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tortilla_support import fingers, samples, table

from iterate.core.data.dataset import SPLITS
from iterate.core.data.geobench_v2 import leaves
from iterate.core.data.geobench_v2.generate import generate
from iterate.core.data.geobench_v2.reader import GeoBenchV2
from iterate.core.data.geobench_v2.section import GeoBenchV2Data
from iterate.core.data.geobench_v2.tortilla import content, opened, read_files, read_samples
from iterate.core.data.geobench_v2.writer import (
    NewFile,
    NewSample,
    annotation_file,
    geotiff_file,
    hdf5_file,
    table_file,
    write_sums,
    write_tortilla,
)
from iterate.core.errors import DataError

Find = Callable[[str], Path]
REAL = ("benv2", "flair2", "pastis", "everwatch", "wind_turbine")
QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def everything(root: Path, dataset: str) -> dict[str, object]:
    """What all samples of a dataset hold, by split and name."""
    reader = GeoBenchV2(GeoBenchV2Data(root=root, dataset=dataset))
    bands = [band.name for band in reader.info.bands]
    return {
        f"{split}/{name}": fingers(reader.read(name, bands))
        for split in SPLITS
        for name in reader.names(split)
    }


def contents(found: dict[str, object]) -> Counter[tuple[str, object]]:
    """What the samples of each split hold, whatever their identifiers."""
    return Counter((key.split("/")[0], value) for key, value in found.items())


def tiny(path: Path, files: list[NewFile] | None = None) -> Path:
    """One sample a split, of a burn scar's files."""
    image = geotiff_file("image", np.full((6, 4, 4), 0.25, np.float32))
    mask = geotiff_file("label", np.ones((1, 4, 4), np.int16))
    splits = ("train", "validation", "test")
    whole = files if files is not None else [image, mask]
    write_tortilla(path, [NewSample(f"s{split}", split, whole) for split in splits])
    return path


@pytest.mark.parametrize("dataset", REAL)
def test_every_file_of_every_sample_is_found(shared_data: Find, dataset: str) -> None:
    path = shared_data(f"geobench_v2/{dataset}.tortilla")
    found = read_samples(path)
    with opened(path) as handle:
        for item, (row, files) in zip(found, samples(path), strict=True):
            assert (item.name, item.split) == (row["tortilla:id"], row["tortilla:data_split"])
            inner = read_files(handle, item, "here")
            assert [file.name for file in inner] == list(files)
            for file in inner:
                told, raw = files[file.name]
                assert content(handle, file) == raw
                assert file.format == told["tortilla:file_format"]
                assert file.fields.items() <= told.items()


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60_000, (3, 5, 7), dtype=np.uint16)
    array = rng.normal(size=(2, 3, 4, 5)).astype(np.float16)
    files = [
        geotiff_file("a", pixels, {"lon": 1.5}),
        hdf5_file("b", array, {"dates": [20200101]}),
        annotation_file("c", {"boxes": [1]}),
        table_file("d", {"xmin": [1, 2]}),
    ]
    path = tmp_path / "x.tortilla"
    write_tortilla(path, [NewSample("one", "train", files, {"patch": 3})])
    assert path.read_bytes()[:2] == b"#y"
    (item,) = read_samples(path)
    (row,) = table(path.read_bytes())
    assert (row["patch"], item.offset) == (3, 200)
    with opened(path) as handle:
        a, b, c, d = read_files(handle, item, "here")
        assert (a.offset, a.fields["lon"], b.fields["dates"]) == (400, 1.5, [20200101])
        np.testing.assert_array_equal(leaves.read_geotiff(content(handle, a), "a", 3), pixels)
        np.testing.assert_array_equal(leaves.read_hdf5(content(handle, b), "b", 4), array)
        assert leaves.read_annotation(content(handle, c), "c") == {"boxes": [1]}
        assert leaves.read_columns(content(handle, d), "d", ["xmin"]) == {"xmin": [1, 2]}


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


def test_a_sample_in_the_wrong_split_is_refused(tmp_path: Path) -> None:
    path = tiny(tmp_path / "geobench_burn_scars.tortilla")
    with opened(path) as handle:
        item = read_samples(path)[0]
        moved = type(item)(item.name, item.format, "test", item.offset, item.length, {})
        with pytest.raises(DataError, match="is of split 'test', but its 'image' says 'train'"):
            read_files(handle, moved, "here")


def test_few_bytes_cannot_ask_for_all_of_the_memory() -> None:
    small = geotiff_file("a", np.zeros((1, 8, 8), np.uint8)).content
    tag = struct.pack("<HHIHH", 256, 3, 1, 8, 0)  # ImageWidth 8
    assert tag in small
    for side in (60_000, 65_535):
        huge = small.replace(tag, struct.pack("<HHIHH", 256, 3, 1, side, 0))
        huge = huge.replace(
            struct.pack("<HHIHH", 257, 3, 1, 8, 0), struct.pack("<HHIHH", 257, 3, 1, side, 0)
        )
        with pytest.raises(DataError, match=r"more than can be believed|not a readable GeoTIFF"):
            leaves.read_geotiff(huge, "here", 1)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("data", (3, 100_000, 100_000), np.uint8, chunks=(1, 64, 64))
    with pytest.raises(DataError, match="more than can be believed"):
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


def test_parts_are_one_dataset_and_a_missing_part_is_an_error(tmp_path: Path) -> None:
    whole = generate("pastis", tmp_path / "one", (2, 2, 2), 8)
    parts = tmp_path / "parts"
    parts.mkdir()
    splits = [("train", 0), ("validation", 2), ("test", 4)]
    paths = []
    for part, (split, first) in enumerate(splits):
        path = parts / f"geobench_pastis.{part:04d}.part.tortilla"
        with opened(whole) as handle:
            items = read_samples(whole)[first : first + 2]
            files = [
                [
                    NewFile(file.name, file.format, content(handle, file), file.fields)
                    for file in read_files(handle, item, "here")
                ]
                for item in items
            ]
        write_tortilla(
            path, [NewSample(i.name, split, f) for i, f in zip(items, files, strict=True)]
        )
        paths.append(path)
    write_sums(paths)
    assert everything(parts, "pastis") == everything(whole.parent, "pastis")
    for path, number in ((paths[1], 1), (paths[2], 2)):
        kept = path.read_bytes()
        path.unlink()
        missing = rf"lacks geobench_pastis\.000{number}\.part\.tortilla"
        with pytest.raises(DataError, match=missing):
            GeoBenchV2(GeoBenchV2Data(root=parts, dataset="pastis"))
        path.write_bytes(kept)


def test_a_file_that_is_not_the_published_one_is_told(tmp_path: Path) -> None:
    path = generate("so2sat", tmp_path, (1, 1, 1), 8)
    (path.parent / "SHA256SUMS").unlink()
    reader = GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="so2sat"))
    with pytest.raises(DataError, match="is not the file that the publisher names"):
        reader.fingerprint()
    with pytest.raises(DataError, match="is not the file that the publisher names"):
        reader.read("sample_0", ["B02"])
    write_sums([path])
    reader = GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="so2sat"))
    assert len(reader.fingerprint()) == 16
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (path.parent / "SHA256SUMS").read_text() == f"{digest}  {path.name}\n"
    (path.parent / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(DataError, match="must have lines of a SHA-256"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="so2sat"))


def test_a_folder_without_the_dataset_names_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path / "no", dataset="caffe"))
    with pytest.raises(DataError, match="There is no such file at all"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="caffe"))
    tiny(tmp_path / "geobench_burn_scars.tortilla")
    with pytest.raises(DataError, match=r"There are: geobench_burn_scars\.tortilla"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="caffe"))
