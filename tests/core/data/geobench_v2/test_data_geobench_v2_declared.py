"""What GEO-Bench-2 datasets declare, and all of them read in their own layout."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from geobench_v2_support import NINETEEN, all_bands, opened, planes, written

from iterate.resources import shipped
from iterate_core.data.bands import resolve_bands
from iterate_core.data.dataset import SPLITS, Boxes, Sample
from iterate_core.data.geobench_v2.datasets.all import DATASETS
from iterate_core.data.geobench_v2.datasets.defects import declared
from iterate_core.data.geobench_v2.datasets.published import checksums
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.data.geobench_v2.synthetic.writer import (
    NewSample,
    geotiff_file,
    hdf5_file,
    write_tortilla,
)
from iterate_core.data.open import open_dataset
from iterate_core.data.store.pack import pack
from iterate_core.data.units import UNITS
from iterate_core.errors import DataError, RequestError
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

Find = Callable[[str], Path]


def test_all_nineteen_are_declared_and_one_more() -> None:
    assert set(DATASETS) == NINETEEN | {"wind_turbine"}


def test_declarations_agree_with_the_suite() -> None:
    import yaml

    suite = yaml.safe_load((shipped("benchmarks") / "geobench/geobench-2.yaml").read_text())
    assert set(suite["datasets"]) == NINETEEN
    for name, row in suite["datasets"].items():
        published, _ = declared(name, compat=True)
        assert published.task == row["task"], name
        assert len(published.classes) == row.get("classes", len(published.classes)), name
        if "splits" in row:
            assert dict(published.sizes or {}) == row["splits"], name
        declaration = DATASETS[name]
        offered = {(band.name, band.unit, band.sensor) for band in declaration.bands}
        assert offered == {
            (band, group["unit"], group.get("sensor"))
            for group in row["inputs"]
            for band in group["names"]
        }, name
        assert (declaration.pixels, declaration.metres) == (row["pixels"], row.get("metres")), name
        pins = {file["name"]: file["sha256"] for file in row["source"]["files"]}
        assert checksums(declaration.files) == pins, name


@pytest.mark.parametrize("dataset", sorted(DATASETS))
@pytest.mark.parametrize("compat", [False, True])
def test_a_declaration_is_whole(dataset: str, compat: bool) -> None:
    declaration, notes = declared(dataset, compat)
    names = [band.name for band in declaration.bands]
    assert len(set(names)) == len(names)
    assert len(set(declaration.classes)) == len(declaration.classes)
    assert all(band.unit in UNITS or band.unit == "unknown" for band in declaration.bands)
    known = {"treesatai", "dynamic_earthnet", "wind_turbine"}
    if dataset not in known:
        assert declaration.statistics.keys() == set(names)
    assert all(std > 0 for _, std in declaration.statistics.values())
    assert all(note.startswith("compat: ") == compat for note in notes)
    pins = checksums(declaration.files)
    parts = {"dynamic_earthnet": 3, "pastis": 3, "pastis_r": 3, "biomassters": 3, "wind_turbine": 0}
    assert len(pins) == parts.get(dataset, 1)
    assert all(len(digest) == 64 for digest in pins.values())


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_bands_answer_to_their_common_names(dataset: str) -> None:
    bands = DATASETS[dataset].bands
    for band in bands:
        assert resolve_bands([band.name], bands, "data.bands") == (band,)
    colours = [name for name in ("red", "green", "blue") if name in {b.common for b in bands}]
    if colours:
        found = resolve_bands(colours, bands, "data.bands")
        assert [band.common for band in found] == colours


def test_a_wrong_name_is_told_with_the_nearest_right_one() -> None:
    with pytest.raises(RequestError, match="Did you mean 'benv2'"):
        parse(GeoBenchV2Data, {"root": "x", "dataset": "benv"}, "data")
    with pytest.raises(RequestError, match=r"^data\.frames: fotw has 2 dates\.$"):
        parse(GeoBenchV2Data, {"root": "x", "dataset": "fotw", "frames": 3}, "data")
    with pytest.raises(RequestError, match="biomassters has 12 dates"):
        parse(GeoBenchV2Data, {"root": "x", "dataset": "biomassters", "frames": [0, 12]}, "data")


def test_the_reader_is_registered_by_name(tmp_path: Path) -> None:
    generate("so2sat", tmp_path, (1, 1, 1), 8)
    options = registries.datasets.get("geobench_v2", "data.name").load_options()
    reader = open_dataset(options(root=tmp_path, dataset="so2sat"))
    assert reader.info.name == "so2sat"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    for dataset in DATASETS:
        generate(dataset, root, (2, 1, 1), 16)
    return root


@pytest.mark.parametrize("dataset", sorted(DATASETS))
@pytest.mark.parametrize("compat", [False, True])
def test_every_dataset_reads(made: Path, dataset: str, compat: bool) -> None:
    reader = opened(made, dataset, compat=compat)
    info = reader.info
    assert info.sizes == {"train": 2, "val": 1, "test": 1}
    dates = (info.frames,) if info.frames > 1 else ()
    for split in SPLITS:
        for name in reader.names(split):
            sample = reader.read(name, all_bands(reader))
            assert sample.image.shape == (len(info.bands), *dates, 16, 16)
            assert np.isfinite(sample.image).all()
            _check_target(sample, info.task, len(info.classes))
            if sample.dates is not None:
                assert len(sample.dates) == info.frames


def _check_target(sample: Sample, task: str, classes: int) -> None:
    target = sample.target
    if task == "classification":
        assert isinstance(target, int)
        assert 0 <= target < classes
    elif task in ("detection", "instance"):
        assert isinstance(target, Boxes)
        assert target.corners.shape == (len(target.labels), 4)
        assert (target.masks is not None) == (task == "instance")
    else:
        array = np.asarray(target)
        kinds = {"multilabel": "u", "segmentation": "u", "regression": "f"}
        shapes = {"multilabel": (classes,)}
        assert array.shape == shapes.get(task, (16, 16))
        assert array.dtype.kind == kinds[task]
        assert task == "regression" or array.max() < max(classes, 2)


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_bands_come_in_the_order_asked_for(made: Path, dataset: str) -> None:
    """Bands of one file, of several files, of several dates: never in another order."""
    reader = opened(made, dataset)
    names = all_bands(reader)
    whole = reader.read("sample_0", names).image
    rng = np.random.default_rng(0)
    for _ in range(3):
        order = rng.permutation(len(names))[: max(1, len(names) - 1)]
        part = reader.read("sample_0", [names[index] for index in order]).image
        np.testing.assert_array_equal(part, whole[order])


@pytest.mark.parametrize(
    "dataset", ["so2sat", "benv2", "burn_scars", "biomassters", "kuro_siwo", "fotw"]
)
def test_datasets_are_packed(made: Path, dataset: str, tmp_path: Path) -> None:
    packed = pack(opened(made, dataset), None, tmp_path)
    reader = opened(made, dataset)
    for index, name in enumerate(reader.names("train")):
        sample = reader.read(name, all_bands(reader))
        np.testing.assert_array_equal(packed.images("train")[index], sample.image)
        np.testing.assert_array_equal(packed.targets("train")[index], sample.target)


def test_generated_sets_are_fixed_by_their_seed(tmp_path: Path) -> None:
    first, again = (generate("benv2", tmp_path / word, (2, 1, 1), 8) for word in ("a", "b"))
    assert first.read_bytes() == again.read_bytes()
    other = generate("benv2", tmp_path / "c", (2, 1, 1), 8, seed=1)
    assert other.read_bytes() != first.read_bytes()


def test_an_unknown_band_or_sample_is_an_error(made: Path) -> None:
    reader = opened(made, "burn_scars")
    with pytest.raises(DataError, match=r"has no band 'B05'\. Available: B02, B03"):
        reader.read("sample_0", ["B05"])
    with pytest.raises(DataError, match="has no sample 'nobody'"):
        reader.read("nobody", ["B02"])


def test_the_notes_tell_what_is_not_as_published(made: Path, tmp_path: Path) -> None:
    notes = opened(made, "so2sat").info.notes
    assert "2 of 19992 train, 1 of 986 val, 1 of 986 test" in notes[-2]
    assert not any("no checksum" in note for note in notes)
    files = [geotiff_file("image", planes(6), {"labels": 1})]
    splits = ("train", "validation", "test", "extra_test")
    write_tortilla(
        tmp_path / "forestnet.tortilla", [NewSample("same", split, files) for split in splits]
    )
    reader = opened(tmp_path, "forestnet")
    assert reader.names("val") == ("same#1",)
    assert "1 samples of split 'extra_test' are not used" in reader.info.notes
    assert "no checksum is known of forestnet.tortilla" in reader.info.notes[-1]
    assert json.loads(json.dumps(reader.info.sizes)) == {"train": 1, "val": 1, "test": 1}


def test_an_object_number_without_a_class_is_an_error(tmp_path: Path) -> None:
    arrays = {
        "s2": np.zeros((3, 10, 4, 4), np.int16), "s1a": np.zeros((3, 3, 4, 4), np.float16),
        "s1d": np.zeros((3, 3, 4, 4), np.float16), "semantic": np.full((3, 4, 4), 20, np.uint8),
        "instance": np.ones((4, 4), np.int64),
    }  # fmt: skip
    files = [hdf5_file(name, array) for name, array in arrays.items()]
    root = written(tmp_path, "pastis", files)
    with pytest.raises(DataError, match="has the label 20, but there are 20 classes"):
        opened(root, "pastis_r").read("strain", ["B02"])
    with pytest.raises(DataError, match=r"the values \[20\]"):
        opened(root, "pastis").read("strain", ["B02"])
