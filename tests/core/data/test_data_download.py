"""``iterate data download`` against a stand-in hub: resumed, checked, unpacked safely, recorded."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from geobench_v1_support import BY_NAME, publish
from hub_support import COMMIT, StandIn, reached, sha256

from iterate.bench.suites.download import fetch, offers, want
from iterate.bench.suites.suite import load_suite
from iterate.cli.main import main
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.errors import DataError, RequestError
from iterate_core.hub import archive as archives
from iterate_core.hub import transfer
from iterate_core.hub.archive import unpacking

V1 = "recursix/geo-bench-1.0"
CATTLE = "segmentation_v1.0/m-nz-cattle.zip"
TORTILLA = os.urandom(300_000)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with reached(tmp_path, monkeypatch) as server:
        source = load_suite("geobench").datasets["m-nz-cattle"].source
        assert source is not None
        assert source.revision is not None
        server.commit = source.revision
        server.add(V1, {CATTLE: cattle(tmp_path), "README.md": b"#"}, "dataset")
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def cattle(folder: Path) -> bytes:
    """The dataset as its hub publishes it: a zip file of one folder."""
    made = publish(folder / "published", BY_NAME["m-nz-cattle"], size=32)
    (made / "README").write_bytes(os.urandom(300_000))
    return zipped({f"m-nz-cattle/{path.name}": path.read_bytes() for path in made.iterdir()})


def zipped(files: dict[str, bytes], **attributes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = attributes.get("mode", 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content)
    return buffer.getvalue()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; its exit code, standard output and standard error on one line."""

    def call(*words: str) -> tuple[int, str, str]:
        command = ["iterate", "data", "download", *words, "--to", str(root)]
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setattr(sys, "warnoptions", ["error"])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        found = capsys.readouterr()
        return code, found.out, " ".join(found.err.split())

    return call


def own_suite(folder: Path, **files: bytes | str) -> str:
    """A suite of one's own; each dataset is one file with the digest of the content given."""
    datasets: dict[str, Any] = {}
    for name, content in files.items():
        digest = content if isinstance(content, str) else sha256(content)
        published = {"name": f"{name}.tortilla", "sha256": digest}
        datasets[name] = {
            "task": "classification", "metric": "Accuracy", "meaning": "accuracy",
            "reader": "geobench_v2", "folder": name, "licence": "CC-BY-4.0",
            "source": {"repository": f"owner/{name}", "files": [published]},
        }  # fmt: skip
    path = folder / "own.yaml"
    suite = {"name": "own", "title": "Own", "reference": "-", "tracks": {"a": "A"}}
    path.write_text(yaml.safe_dump({**suite, "groups": {"All": [*files]}, "datasets": datasets}))
    return str(path)


def test_a_dataset_is_downloaded_unpacked_read_and_recorded(
    hub: StandIn, run: Run, root: Path
) -> None:
    code, out, err = run("m-nz-cattle", "--json")
    assert code == 0
    folder = root / "segmentation_v1.0/m-nz-cattle"
    entry = json.loads(out)["datasets"][0]
    assert (entry["state"], entry["folder"]) == ("downloaded", str(folder))
    assert (entry["revision"], entry["licence"]) == (hub.commit, "CC-BY-4.0")
    reader = GeoBenchV1(GeoBenchV1Data(root=folder))
    assert reader.info.name == "m-nz-cattle"
    assert reader.read("sample_0", ["Red"]).image[0, 0, 0] == 126
    archive = hub.files["dataset", V1][CATTLE]
    record = json.loads((folder / "SOURCE.json").read_text())
    assert (record["repository"], record["revision"]) == (V1, hub.commit)
    assert record["files"][0]["sha256"] == sha256(archive)
    assert record["files"][0]["checked"] == ["announced"]
    left = sorted(path.name for path in folder.parent.iterdir() if path.suffix != ".lock")
    assert left == ["m-nz-cattle"]
    assert "kB to download; " in err
    assert " free at " in err
    before = list(hub.requests)
    code, out, err = run("m-nz-cattle", "--json")
    assert (code, json.loads(out)["datasets"][0]["state"]) == (0, "here")
    assert hub.requests == before


def test_a_dry_run_says_what_there_is_to_do(hub: StandIn, run: Run, root: Path) -> None:
    code, out, err = run("m-nz-cattle", "--dry-run", "--json")
    (entry,) = json.loads(out)["datasets"]
    size = len(hub.files["dataset", V1][CATTLE])
    assert (code, entry["state"], entry["bytes"]) == (0, "missing", size)
    assert entry["files"] == [CATTLE]
    assert hub.served == 0
    assert not root.exists()
    assert f"{V1} @ {hub.commit[:8]}" in err


def test_a_download_that_was_cut_off_goes_on(hub: StandIn, run: Run, root: Path) -> None:
    archive = hub.files["dataset", V1][CATTLE]
    hub.cuts = [len(archive) // 2] + [0] * transfer.ATTEMPTS
    code, _, err = run("m-nz-cattle")
    assert code == 2
    assert "was interrupted" in err
    assert "Run the command again: it goes on from there." in err
    assert not (root / "segmentation_v1.0/m-nz-cattle").exists()
    half = next((root / "segmentation_v1.0").glob(".m-nz-cattle.zip.*.part")).stat().st_size
    assert half > 0
    hub.cuts, hub.served = [], 0
    code, out, _ = run("m-nz-cattle", "--json")
    assert (code, hub.served) == (0, len(archive) - half)
    assert json.loads(out)["datasets"][0]["bytes"] == len(archive) - half


def test_a_changed_byte_is_refused(hub: StandIn, run: Run, root: Path) -> None:
    archive = hub.files["dataset", V1][CATTLE]
    changed = archive[:-1] + b"x"
    hub.changed[sha256(archive)] = changed
    code, _, err = run("m-nz-cattle")
    assert code == 2
    assert sha256(archive) in err
    assert sha256(changed) in err
    assert not (root / "segmentation_v1.0/m-nz-cattle").exists()
    assert (root / "segmentation_v1.0/m-nz-cattle.zip.rejected").read_bytes() == changed


def test_files_of_the_second_suite_lie_where_its_reader_looks(
    hub: StandIn, run: Run, root: Path
) -> None:
    parts: dict[str, bytes] = {}
    for part in range(3):
        parts[f"geobench_pastis.{part:04d}.part.tortilla"] = TORTILLA + bytes([part])
    hub.add("aialliance/pastis", {**parts, "README.md": b"#"}, "dataset")
    code, out, _ = run("pastis", "pastis_r", "--latest", "--json")
    assert code == 0
    assert [entry["bytes"] for entry in json.loads(out)["datasets"]] == [900_003, 0]
    assert hub.served == 900_003
    for name, content in parts.items():
        assert (root / "pastis" / name).read_bytes() == content
    record = json.loads((root / "pastis/SOURCE.json").read_text())
    assert [file["filename"] for file in record["files"]] == list(parts)


def test_what_the_suite_pins_and_the_hub_changed_is_refused_before_it_comes(
    hub: StandIn, run: Run, root: Path
) -> None:
    hub.add("aialliance/benv2", {"geobench_benv2.tortilla": TORTILLA}, "dataset")
    code, _, err = run("benv2")
    assert code == 2
    assert "821c2f429c3e85c158c758bbb215bf61170a2451a11284efaf0f89cef97e468a" in err
    assert sha256(TORTILLA) in err
    assert "--latest takes it" in err
    assert hub.served == 0
    assert not root.exists()


def test_a_file_carried_by_hand_needs_no_network(
    hub: StandIn, run: Run, root: Path, tmp_path: Path
) -> None:
    suite = own_suite(tmp_path, some=TORTILLA, other=TORTILLA)
    for name, content in {"some": TORTILLA, "other": TORTILLA[1:]}.items():
        (root / name).mkdir(parents=True)
        (root / name / f"{name}.tortilla").write_bytes(content)
    assert run("some", "--suite", suite)[0] == 0
    record = json.loads((root / "some/SOURCE.json").read_text())
    assert record["files"][0]["sha256"] == sha256(TORTILLA)
    code, _, err = run("other", "--suite", suite)
    assert code == 2
    assert sha256(TORTILLA[1:]) in err
    assert "kept as" in err
    assert hub.requests == []


def test_another_file_in_the_way_is_left_alone(hub: StandIn, run: Run, root: Path) -> None:
    hub.add("aialliance/benv2", {"geobench_benv2.tortilla": TORTILLA}, "dataset")
    (root / "benv2").mkdir(parents=True)
    (root / "benv2/geobench_benv2.tortilla").write_bytes(b"mine")
    code, _, err = run("benv2", "--latest")
    assert code == 2
    assert "is another file than the published one" in err or "must have" in err
    kept = [path.read_bytes() for path in (root / "benv2").iterdir() if path.is_file()]
    assert b"mine" in kept


def test_a_folder_of_unknown_origin_is_left_alone(hub: StandIn, run: Run, root: Path) -> None:
    folder = root / "segmentation_v1.0/m-nz-cattle"
    folder.mkdir(parents=True)
    (folder / "mine").write_text("mine")
    code, out, err = run("m-nz-cattle", "--json")
    assert (code, json.loads(out)["datasets"][0]["state"]) == (0, "here")
    assert "no SOURCE.json says where it came from: not checked" in err
    assert hub.requests == []


def test_one_dataset_s_trouble_does_not_stop_the_others(
    hub: StandIn, run: Run, root: Path, tmp_path: Path
) -> None:
    contents = {name: TORTILLA + name.encode() for name in ("a", "b", "c")}
    for name, content in contents.items():
        hub.add(f"owner/{name}", {f"{name}.tortilla": content}, "dataset")
    hub.changed[sha256(contents["b"])] = b"b"
    code, _, err = run("--suite", own_suite(tmp_path, **contents))
    assert code == 2
    assert "owner/b/b.tortilla" in err
    assert [(root / name / "SOURCE.json").exists() for name in "abc"] == [True, False, True]


def test_all_that_is_wrong_is_said_at_once(hub: StandIn, run: Run, tmp_path: Path) -> None:
    hub.add("owner/b", {"c.tortilla": TORTILLA}, "dataset")
    code, _, err = run("--suite", own_suite(tmp_path, a=TORTILLA, b=TORTILLA))
    assert code == 2
    assert "owner/a: there is no dataset repository of this name" in err
    assert "b: owner/b has no file 'b.tortilla'. Did you mean 'c.tortilla'?" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("m-eurosatt",), "m-eurosatt: no such dataset. Did you mean 'm-eurosat'"),
        (("benv2", "--suite", "geobench"), "benv2: no such dataset in geobench."),
        (("--suite", "geobnch"), "there is no suite 'geobnch'. Did you mean"),
        ((), "name datasets, or a whole suite. Suites: geobench, geobench-2"),
    ],
)
def test_a_wrong_name_is_told(run: Run, words: tuple[str, ...], message: str) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert message in err


def test_offline_every_file_and_its_place_are_named(
    hub: StandIn, run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    original = transfer.requests.request

    def count(method: str, url: str, **options: Any) -> Any:
        asked.append(url)
        return original(method, url, **options)

    monkeypatch.setattr(transfer.requests, "request", count)
    code, _, err = run("m-nz-cattle", "m-pv4ger", "benv2")
    assert code == 2
    assert "http://127.0.0.1:9 cannot be reached (connection refused)" in err
    url = f"http://127.0.0.1:9/datasets/{V1}/resolve/{hub.commit}/{CATTLE}"
    place = root / "segmentation_v1.0/m-nz-cattle.zip"
    assert f"download {url} and put it at {place} and unpack it there as m-nz-cattle" in err
    assert f"and put it at {root / 'benv2/geobench_benv2.tortilla'}" in err
    assert len(asked) == 1


def test_a_disk_that_is_too_small_is_told_before_anything_comes(
    hub: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = type("Usage", (), {"free": 500_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    contents = {name: TORTILLA + name.encode() for name in ("a", "b")}
    for name, content in contents.items():
        hub.add(f"owner/{name}", {f"{name}.tortilla": content}, "dataset")
    code, _, err = run("--suite", own_suite(tmp_path, **contents))
    assert code == 2
    assert "b: needs 300.0 kB more than is free" in err
    assert "a: needs" not in err
    assert hub.served == 0


def _download(address: str, root: str) -> None:
    os.environ["HF_ENDPOINT"] = address
    for offer in offers(want(["m-nz-cattle"], None, Path(root))):
        fetch(offer, lambda name: lambda done, total: None)
    assert (Path(root) / "segmentation_v1.0/m-nz-cattle/SOURCE.json").exists()


def test_two_processes_download_once(hub: StandIn, root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=_download, args=(hub.address, str(root))) for _ in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0]
    assert hub.served == len(hub.files["dataset", V1][CATTLE])


HOSTILE = {
    "leads out of the folder": [
        zipped({"../evil": b"x"}), zipped({"/evil": b"x"}), zipped({"a/../../evil": b"x"}),
        zipped({"a\\..\\evil": b"x"}), zipped({"C:/evil": b"x"}),
    ],
    "is no plain file": [
        zipped({"link": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777),
        zipped({"pipe": b""}, mode=stat.S_IFIFO | 0o644),
    ],
    "is no zip file, or a damaged one": [b"", b"no zip", zipped({"a": b"x" * 999})[:-30]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "content"),
    [(message, content) for message, contents in HOSTILE.items() for content in contents],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, message: str, content: bytes) -> None:
    packed, folder = tmp_path / "in/set.zip", tmp_path / "in/set"
    packed.parent.mkdir()
    packed.write_bytes(content)
    with pytest.raises(DataError, match=message), unpacking(packed, folder):
        raise AssertionError("it was unpacked")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    assert [path.name for path in packed.parent.iterdir()] == ["set.zip"]


def test_a_damaged_member_leaves_nothing_but_the_archive(tmp_path: Path) -> None:
    content = bytearray(zipped({"set/a": b"a" * 50, "set/b": os.urandom(500)}))
    content[content.index(b"set/b") + 60] ^= 255
    packed = tmp_path / "set.zip"
    packed.write_bytes(content)
    with (
        pytest.raises(DataError, match=r"set\.zip: is no zip file, or a damaged one"),
        unpacking(packed, tmp_path / "set"),
    ):
        raise AssertionError("it was unpacked")
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_an_archive_that_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "set.zip"
    packed.write_bytes(zipped({"a": bytes(1_000_000)}))
    usage = type("Usage", (), {"free": 999_999})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: usage)
    with (
        pytest.raises(DataError, match=r"unpacks to 1\.0 MB, but .* free"),
        unpacking(packed, tmp_path / "set"),
    ):
        raise AssertionError("it was unpacked")


@pytest.mark.parametrize("prefix", ["", "set/"])
def test_an_archive_with_and_without_the_folder_s_name(tmp_path: Path, prefix: str) -> None:
    packed = tmp_path / "set.zip"
    packed.write_bytes(zipped({f"{prefix}a": b"1", f"{prefix}deep/b": b"2"}))
    seen: list[tuple[int, int | None]] = []
    with unpacking(packed, tmp_path / "set", lambda done, total: seen.append((done, total))):
        assert not (tmp_path / "set").exists()
    assert (tmp_path / "set/a").read_bytes() == b"1"
    assert (tmp_path / "set/deep/b").read_bytes() == b"2"
    assert seen[-1] == (2, 2)


def test_a_name_twice_in_an_archive_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "set.zip"
    packed.write_bytes(zipped({"a": b"1", "b": b"2"}).replace(b"b", b"a"))
    with pytest.raises(DataError, match="holds 'a' twice"), unpacking(packed, tmp_path / "set"):
        raise AssertionError("it was unpacked")


def test_a_pinned_revision_that_is_gone_is_told(hub: StandIn, root: Path) -> None:
    hub.commit = COMMIT
    with pytest.raises(RequestError, match=r"geo-bench-1\.0: has no revision '1e5754"):
        offers(want(["m-nz-cattle"], None, root))
