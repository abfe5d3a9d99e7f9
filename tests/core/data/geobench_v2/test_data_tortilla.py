"""The tortilla container and the files inside it, whole and in parts."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tortilla_support import everything, samples, table, tiny

from iterate_core.data.geobench_v2 import leaves
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.data.geobench_v2.synthetic.writer import (
    NewFile,
    NewSample,
    annotation_file,
    geotiff_file,
    hdf5_file,
    table_file,
    write_sums,
    write_tortilla,
)
from iterate_core.data.geobench_v2.tortilla import content, opened, read_files, read_samples
from iterate_core.errors import DataError

Find = Callable[[str], Path]
REAL = ("benv2", "flair2", "pastis", "everwatch", "wind_turbine")


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
    assert everything(paths[1], "pastis") == everything(parts, "pastis")
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
    (path.parent / "SHA256SUMS").unlink()
    record = {"files": [{"filename": path.name, "sha256": digest}]}
    (path.parent / "SOURCE.json").write_text(json.dumps(record))
    reader = GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="so2sat"))
    assert "not the published file, though of its name: " + path.name in reader.info.notes
    assert len(reader.fingerprint()) == 16
    record["files"][0]["sha256"] = "0" * 64
    (path.parent / "SOURCE.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"is not the file that SOURCE\.json names"):
        reader.fingerprint()
    (path.parent / "SOURCE.json").write_text("{}")
    with pytest.raises(DataError, match="is no record of a download"):
        GeoBenchV2(GeoBenchV2Data(root=tmp_path, dataset="so2sat"))
    (path.parent / "SOURCE.json").unlink()
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
