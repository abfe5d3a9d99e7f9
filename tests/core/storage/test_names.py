"""Words of files never become paths: whatever they say, nothing is written elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from iterate.bench.suites.suite import load_suite, suites
from iterate.cli.data.app import app
from iterate_core.data.convert.convert import convert
from iterate_core.data.generated.reader import GeneratedData, generate
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.errors import RequestError
from iterate_core.hub.files import HubFile, place
from iterate_core.storage.names import file_name, is_file_name

HOSTILE = ("../../x", "/tmp/x", "a/../../x", "..", ".", "~/x", "a\x00b", "x" * 500, "", "\ud800")


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a\x00b", "x" * 500, ""])
def test_a_picture_lies_here_whatever_the_dataset_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "a/b/here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    generate(GeneratedData(samples=(2, 1, 1), size=16), tmp_path / "set")
    declared = json.loads((tmp_path / "set/dataset.json").read_text())
    (tmp_path / "set/dataset.json").write_text(json.dumps(declared | {"name": name}))
    before = {path for path in tmp_path.rglob("*") if "set" not in path.parts}
    words = ["show", str(tmp_path / "set"), "--json", "--limit", "1", "--count", "1"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    (picture,) = {path for path in tmp_path.rglob("*") if "set" not in path.parts} - before
    assert picture.parent == here
    assert json.loads(done.stdout)["picture"] == picture.name


@pytest.mark.parametrize("name", HOSTILE)
def test_any_text_makes_one_file_name_and_a_plain_one_stays(name: str) -> None:
    made = file_name(name.encode(errors="ignore").decode())
    assert is_file_name(made)
    assert (Path("folder") / made).parent == Path("folder")
    assert file_name("m-eurosat_2.0") == "m-eurosat_2.0"
    assert file_name("Überflutung") == "Überflutung"


@pytest.mark.parametrize("name", [*HOSTILE[:4], "a\x00b", "\ud800"])
def test_a_partition_cannot_name_files_elsewhere(name: str, tmp_path: Path) -> None:
    generate(GeneratedData(samples=(2, 1, 1), size=16), tmp_path / "set")
    path = tmp_path / "set/default_partition.json"
    listed = json.loads(path.read_text())
    path.write_text(json.dumps(listed | {"test": [name]}))
    with pytest.raises(RequestError, match="which is not a plain file name"):
        GeoBenchV1(GeoBenchV1Data(root=tmp_path / "set"))


def test_sample_names_that_are_no_file_names_give_way_to_numbers(tmp_path: Path) -> None:
    content = {
        "images": np.zeros((3, 4, 4, 3), np.uint8),
        "labels": [0, 1, 0],
        "split": [0, 1, 2],
        "names": ["../../x", "b/..", "y" * 400],
    }
    np.savez(tmp_path / "x.npz", **content)  # type: ignore[arg-type]
    convert(tmp_path / "x.npz", tmp_path / "out/set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "x.npz"]
    assert len(list((tmp_path / "out/set").glob("sample_*.hdf5"))) == 3


@pytest.mark.parametrize("name", ["../../x", "/x", "a/../../x"])
@pytest.mark.parametrize("what", ["name", "dataset", "folder"])
def test_a_suite_cannot_send_datasets_elsewhere(what: str, name: str, tmp_path: Path) -> None:
    content = yaml.safe_load(suites()["geobench"].read_text())
    first = next(iter(content["datasets"]))
    if what == "name":
        content["name"] = name
    elif what == "dataset":
        content["datasets"][name] = content["datasets"][first]
    else:
        content["datasets"][first]["folder"] = name
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(RequestError, match=f"{name!r} (cannot name a folder|leads out)"):
        load_suite(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize("filename", ["../../x", "/x", "a\\x"])
def test_a_published_file_stays_in_the_cache(filename: str) -> None:
    with pytest.raises(RequestError, match="is no path of a file below a folder"):
        place(HubFile("owner/name", filename))
    with pytest.raises(RequestError, match="is no path of a file below a folder"):
        place(HubFile("owner/name", "x.pth", revision=filename))
