"""The packed store: the same pixels, exact statistics, whole or absent, packed once."""

import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iterate_core.data.bands import describe
from iterate_core.data.dataset import DatasetInfo, Sample, Split
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.store.pack import cache_folder, pack
from iterate_core.errors import DataError, RequestError, WorkError

SIZES: dict[Split, int] = {"train": 5, "val": 2, "test": 3}


@dataclass
class Scenes:
    """A reader whose samples are arrays in memory, and which counts what it reads."""

    images: dict[str, Any]
    targets: dict[str, Any]
    info: DatasetInfo
    read_names: list[str] = field(default_factory=list)

    def names(self, split: Split) -> Sequence[str]:
        return [f"{split}{index}" for index in range(SIZES[split])]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        self.read_names.append(name)
        order = [band.name for band in self.info.bands]
        return Sample(
            name, self.images[name][[order.index(band) for band in bands]], self.targets[name]
        )

    def fingerprint(self) -> str:
        return "0123456789abcdef"


@pytest.fixture
def scenes() -> Scenes:
    rng = np.random.default_rng(0)
    bands = describe(["B02", "B03", "B8A"])
    info = DatasetInfo("scenes", "segmentation", ("a", "b"), bands, dict(SIZES), 4, 6)
    names = [f"{split}{index}" for split, size in SIZES.items() for index in range(size)]
    images = {name: rng.integers(0, 9000, (3, 4, 6), dtype=np.int16) for name in names}
    for image in images.values():
        image[1] = 77
    masks = {name: rng.choice([0, 1, 255], (4, 6)).astype(np.int64) for name in names}
    return Scenes(images, masks, info)


def test_pixels_targets_and_names_come_back(scenes: Scenes, tmp_path: Path) -> None:
    packed = pack(scenes, ["nir08", "blue"], tmp_path)
    assert [band.name for band in packed.bands] == ["B8A", "B02"]
    for split in SIZES:
        names = scenes.names(split)
        assert packed.names(split) == tuple(names)
        np.testing.assert_array_equal(
            packed.images(split), [scenes.images[name][[2, 0]] for name in names]
        )
        np.testing.assert_array_equal(packed.targets(split), [scenes.targets[n] for n in names])
    assert packed.images("train").dtype == np.int16
    assert packed.targets("train").dtype == np.uint8
    assert isinstance(packed.images("train"), np.memmap)
    assert not packed.images("train").flags.writeable


def test_statistics_are_exact_and_a_constant_band_divides_by_one(
    scenes: Scenes, tmp_path: Path
) -> None:
    packed = pack(scenes, None, tmp_path)
    pixels = np.stack([scenes.images[name] for name in scenes.names("train")]).astype(np.float64)
    np.testing.assert_allclose(packed.mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-13)
    expected = pixels.std(axis=(0, 2, 3))
    np.testing.assert_allclose(packed.std, [expected[0], 1.0, expected[2]], rtol=1e-12)
    assert packed.notes == ("band 'B03' is constant: its std is taken as 1",)


def test_a_large_mean_costs_no_digits(scenes: Scenes, tmp_path: Path) -> None:
    for index, name in enumerate(scenes.names("train")):
        scenes.images[name] = np.full((3, 4, 6), 1e9 + index % 2, np.float64)
    share = 2 / 5
    np.testing.assert_allclose(
        pack(scenes, ["B02"], tmp_path).std, [np.sqrt(share * (1 - share))], rtol=1e-6
    )


def test_a_constant_band_of_fractions_is_constant(scenes: Scenes, tmp_path: Path) -> None:
    for name in scenes.images:
        scenes.images[name] = np.full((3, 4, 6), 0.1, np.float32)
    packed = pack(scenes, ["B02"], tmp_path)
    assert packed.std.tolist() == [1.0]
    assert "constant" in packed.notes[0]


def test_each_split_is_read_when_asked_for_and_once(scenes: Scenes, tmp_path: Path) -> None:
    packed = pack(scenes, ["B02"], tmp_path)
    assert scenes.read_names == []
    packed.images("val")
    assert scenes.read_names == ["val0", "val1"]
    assert packed.mean.shape == (1,)
    again = pack(scenes, ["B02"], tmp_path)
    again.images("val")
    again.targets("train")
    assert scenes.read_names == ["val0", "val1", *scenes.names("train")]
    assert pack(scenes, ["B03"], tmp_path).folder != packed.folder
    assert pack(scenes, ["B02"], tmp_path, fingerprint="f" * 16).folder != packed.folder


def test_a_pack_travels_to_another_process_without_its_pixels(
    scenes: Scenes, tmp_path: Path
) -> None:
    packed = pack(scenes, ["B02"], tmp_path)
    packed.images("train")
    scenes.images.clear()
    received = pickle.loads(pickle.dumps(packed))
    np.testing.assert_array_equal(received.images("train"), packed.images("train"))


def test_an_unknown_band_is_refused_at_once(scenes: Scenes, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"data\.bands\.1: there is no band 'red'"):
        pack(scenes, ["B02", "red"], tmp_path)


def _not_finite(scenes: Scenes) -> None:
    for name in scenes.images:
        scenes.images[name] = scenes.images[name].astype(np.float32)
    scenes.images["train3"][0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_not_finite, "sample train3: has 1 pixel values that are not finite"),
        (
            lambda scenes: scenes.targets["train3"].__setitem__((0, 0), 2),
            "sample train3: has the label 2, but there are 2 classes",
        ),
        (
            lambda scenes: scenes.images.update(train3=np.zeros((3, 4, 5), np.int16)),
            r"sample train3: is \(4, 5\) pixels, not \(4, 6\)",
        ),
        (
            lambda scenes: scenes.images.update(train3=np.zeros((3, 4, 6))),
            "'train3' is float64, but those before it are int16",
        ),
    ],
)
def test_an_unfit_sample_is_named_and_nothing_is_kept(
    scenes: Scenes, tmp_path: Path, harm: Callable[[Scenes], Any], message: str
) -> None:
    harm(scenes)
    packed = pack(scenes, ["B02"], tmp_path)
    with pytest.raises(DataError, match=message):
        packed.images("train")
    assert {path.name for path in packed.folder.iterdir()} == {"train.lock", "used.lock"}


def test_a_damaged_pack_is_made_again(scenes: Scenes, tmp_path: Path) -> None:
    packed = pack(scenes, ["B02"], tmp_path)
    expected = np.array(packed.images("val"))
    images = packed.folder / "val-images.npy"
    images.write_bytes(images.read_bytes()[:-7])
    np.testing.assert_array_equal(pack(scenes, ["B02"], tmp_path).images("val"), expected)
    (packed.folder / "val.json").write_text("[]")
    np.testing.assert_array_equal(pack(scenes, ["B02"], tmp_path).images("val"), expected)


def test_what_a_killed_process_left_is_cleared(scenes: Scenes, tmp_path: Path) -> None:
    packed = pack(scenes, ["B02"], tmp_path)
    packed.folder.mkdir(parents=True)
    (packed.folder / ".val-images.npy.abc.part").write_bytes(b"half")
    packed.images("val")
    names = {path.name for path in packed.folder.iterdir()}
    files = {"val.json", "val-images.npy", "val-targets.npy"}
    assert names == files | {"val.lock", "used.lock"}


def test_a_cache_that_cannot_be_written_is_a_sentence(scenes: Scenes, tmp_path: Path) -> None:
    (tmp_path / "packs").write_text("a file where the folder should be")
    with pytest.raises(WorkError, match="Set ITERATE_CACHE"):
        pack(scenes, ["B02"], tmp_path).images("val")


_PROGRAM = """
import os, sys
from pathlib import Path
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.store.pack import pack

root, cache, log = map(Path, sys.argv[1:])

class Logged(GeoBenchV1):
    def read(self, name, bands):
        with log.open("a") as handle:
            handle.write(f"{os.getpid()} {name}\\n")
        return super().read(name, bands)

packed = pack(Logged(GeoBenchV1Data(root=root)), None, cache)
print(packed.images("train").astype(float).sum(), packed.mean.tolist())
"""


def test_processes_that_ask_at_once_read_each_sample_once(tmp_path: Path) -> None:
    from iterate_core.data.generated.reader import GeneratedData, generate

    generate(GeneratedData(samples=(60, 1, 1), size=16), tmp_path / "set")
    arguments = [str(tmp_path / "set"), str(tmp_path / "cache"), str(tmp_path / "log")]
    environment = os.environ | {"ITERATE_CACHE": str(tmp_path / "cache")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert outputs[0] == outputs[1] != ""
    read = Counter(line.split()[1] for line in (tmp_path / "log").read_text().splitlines())
    # The first sample tells each process what types the arrays have.
    assert 1 <= read.pop("train_00000") <= 2
    assert set(read.values()) == {1}
    assert len(read) == 59


def test_real_masks_and_statistics(
    shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path))
    root = shared_data("geobench_v1/ccb-test-segmentation/cvpr_chesapeake_landcover")
    reader = GeoBenchV1(GeoBenchV1Data(root=root))
    packed = pack(reader, ["blue", "nir"], cache_folder())
    published = json.loads((root / "band_stats.json").read_text())
    # The published figures are of a sample of a million pixels of the whole dataset's training
    # split, of which five scenes are here: near, not equal.
    assert packed.mean == pytest.approx(
        [published["Blue"]["mean"], published["NearInfrared"]["mean"]], abs=0.15
    )
    assert packed.images("train").shape == (5, 2, 256, 256)
    assert packed.folder.is_relative_to(tmp_path / "packs")


def test_the_cache_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("ITERATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/iterate"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/iterate"
