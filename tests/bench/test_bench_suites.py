"""What the suites say of their datasets, against the readers and the published facts."""

import re
from pathlib import Path
from typing import Any

import pytest
from geobench_v1_support import BY_NAME, publish

from iterate.bench.suites.folders import dataset_folder
from iterate.bench.suites.suite import SuiteDataset, load_suite
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v2.datasets.all import DATASETS as DECLARED

V1, V2 = load_suite("geobench").datasets, load_suite("geobench-2").datasets
ALL = [*V1.items(), *V2.items()]


def said(dataset: SuiteDataset) -> set[tuple[str, str, str | None]]:
    """Each band with its unit and sensor."""
    return {(name, group.unit, group.sensor) for group in dataset.inputs for name in group.names}


def ids(value: Any) -> str | None:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("name", "dataset"), ALL, ids=ids)
def test_every_dataset_says_what_a_run_and_a_download_need(
    name: str, dataset: SuiteDataset
) -> None:
    assert dataset.reader is not None
    assert dataset.folder is not None
    assert dataset.bands == sum(len(group.names) for group in dataset.inputs)
    assert (dataset.licence is None) <= (dataset.licence_note is not None)
    assert (dataset.splits is None) <= (dataset.splits_note is not None)
    source = dataset.source
    assert source is not None
    assert source.note is not None
    for file in source.files:
        assert file.sha256 is not None or source.revision is not None
    digests = [file.sha256 for file in source.files if file.sha256]
    assert len(digests) == len(set(digests))


@pytest.mark.parametrize(("name", "dataset"), list(V1.items()), ids=ids)
def test_the_first_suite_s_bands_are_those_its_reader_gives(
    tmp_path: Path, name: str, dataset: SuiteDataset
) -> None:
    folder = publish(tmp_path, BY_NAME[name])
    info = GeoBenchV1(GeoBenchV1Data(root=folder)).info
    assert said(dataset) == {(band.name, band.unit, band.sensor) for band in info.bands}
    assert (dataset.task, dataset.classes) == (info.task, len(info.classes))
    assert dataset.metres == info.metres
    assert dataset_folder(dataset, name, tmp_path)[0] == folder
    source = dataset.source
    assert source is not None
    assert [file.name for file in source.files] == [f"{dataset.folder}.zip"]


@pytest.mark.parametrize(("name", "dataset"), list(V2.items()), ids=ids)
def test_the_second_suite_s_bands_are_those_its_reader_gives(
    name: str, dataset: SuiteDataset
) -> None:
    declared = DECLARED[name]
    assert said(dataset) == {(band.name, band.unit, band.sensor) for band in declared.bands}
    assert dataset.task == declared.task
    assert dataset.splits == declared.sizes
    assert (dataset.pixels, dataset.metres) == (declared.pixels, declared.metres)
    source = dataset.source
    assert source is not None
    parts = len(source.files)
    expected = [f"{declared.files}.tortilla"]
    if parts > 1:
        expected = [f"{declared.files}.{part:04d}.part.tortilla" for part in range(parts)]
    assert [file.name for file in source.files] == expected
    assert source.repository == declared.source.removeprefix("https://huggingface.co/datasets/")


def test_nothing_but_the_second_suite_s_declarations_is_left_out() -> None:
    assert set(DECLARED) - set(V2) == {"wind_turbine"}
    assert (len(V1), len(V2)) == (12, 19)


def test_licences_are_identifiers() -> None:
    licences = {dataset.licence for _, dataset in ALL if dataset.licence}
    assert all(re.fullmatch(r"(CC|CDLA|MIT|etalab)[A-Za-z0-9.-]*", licence) for licence in licences)
