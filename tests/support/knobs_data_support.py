"""What each option of a reader of datasets changes, seen on small datasets of each format."""

from __future__ import annotations

from typing import Any

from geobench_v1_support import PUBLISHED, publish
from knobs_support import Case, Scene, refused, setting

from iterate_core.data.dataset import Reader
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.data.open import open_dataset
from iterate_core.registry.parsing import parse


def opened(scene: Scene, **others: Any) -> Reader:
    """The dataset as the component reads it."""
    values = {"name": scene.knob.component, **others, **setting(scene.knob.field, scene.value)}
    return open_dataset(parse(scene.knob.owner, values))


def generated(scene: Scene) -> Any:
    """What a generated dataset declares, and its content."""
    reader = opened(scene, **({} if scene.knob.field == "samples" else {"samples": (2, 1, 1)}))
    name = reader.names("train")[0]
    return reader.info, reader.read(name, [reader.info.bands[0].name]).image.tobytes()


def finely(scene: Scene) -> float:
    """How many cells of its targets lie along the side of a pixel."""
    reader = opened(scene, kind="downscaling", size=16, samples=(2, 1, 1))
    sample = reader.read(reader.names("train")[0], [reader.info.bands[0].name])
    return float(sample.target.shape[1] / sample.image.shape[1])


def kept(scene: Scene) -> bool:
    """Whether a generated dataset lies in a folder of ours."""
    folder = None if scene.value is None else scene.folder / "mine"
    _read_from(scene, folder)
    return (scene.folder / "mine" / "dataset.json").exists()


def _read_from(scene: Scene, folder: Any) -> Any:
    values = {"name": "generated", "samples": (2, 1, 1), "size": 16, "root": folder}
    reader = open_dataset(parse(scene.knob.owner, values))
    return reader.info.name, reader.fingerprint()


def content(scene: Scene) -> Any:
    """Which dataset that is."""
    return _read_from(scene, None if scene.value is None else scene.folder / "again")


def v1(scene: Scene, dataset: str = "m-eurosat") -> Any:
    """A small published dataset of GEO-Bench as its reader declares it."""
    known = next(one for one in PUBLISHED if one.name == dataset)
    root = publish(scene.folder, known, samples=12)
    return opened(scene, root=str(root)).info


def v1_at(scene: Scene) -> str:
    """The dataset that lies in a folder."""
    known = next(one for one in PUBLISHED if one.name == scene.value)
    root = publish(scene.folder, known)
    return opened(Scene(scene.knob, str(root), scene.folder)).info.name


def v2(scene: Scene, dataset: str = "benv2") -> Any:
    """A small dataset of GEO-Bench-2 as its reader declares it, and its first pixels."""
    for name in {dataset, scene.value} & {"benv2", "pastis", "caffe"}:
        generate(name, scene.folder, (1, 1, 1), pixels=16)
    given = {"dataset": dataset, "root": str(scene.folder)}
    reader = opened(scene, **given)
    name = reader.names("train")[0]
    return reader.info, reader.read(name, [reader.info.bands[-1].name]).image.tobytes()


def apart(reader: Reader) -> bool:
    """Whether its splits are drawn, and that far apart."""
    return any("at least 5000 m apart" in note for note in reader.info.notes)


def v1_split(scene: Scene) -> bool:
    """Whether samples that lie side by side are divided anew."""
    known = next(one for one in PUBLISHED if one.name == "m-eurosat")
    return apart(opened(scene, root=str(publish(scene.folder, known, samples=30, apart=4e3))))


def v2_split(scene: Scene) -> bool:
    """The same of samples all over Europe."""
    generate("caffe", scene.folder, (9, 3, 3), pixels=16)
    return apart(opened(scene, dataset="caffe", root=str(scene.folder)))


def v2_at(scene: Scene) -> bytes:
    """A sample of the folder at hand."""
    root = scene.folder / scene.value
    generate("caffe", root, (1, 1, 1), pixels=16, seed=int(scene.value))
    reader = opened(Scene(scene.knob, str(root), scene.folder), dataset="caffe")
    return reader.read(reader.names("train")[0], [reader.info.bands[0].name]).image.tobytes()


BLOCKS = {"block_metres": 2e4, "distance_metres": 5e3}
TEN = [f"land cover {number}" for number in range(10)]

DATA: dict[str, Case] = {
    "data": Case(
        ("generated", "nowhere"), refused(lambda s: type(open_dataset(_section(s))).__name__)
    ),
    "GeneratedData.kind": Case(("classification", "multilabel"), generated),
    "GeneratedData.samples": Case(
        ((2, 1, 1), (3, 1, 2)), lambda s: list(generated(s)[0].sizes.values()),
        ([2, 1, 1], [3, 1, 2]),
    ),
    "GeneratedData.size": Case((16, 32), lambda s: generated(s)[0].height, (16, 32)),
    "GeneratedData.frames": Case((1, 2), lambda s: generated(s)[0].frames, (1, 2)),
    "GeneratedData.finer": Case((2, 4), finely, (2, 4)),
    "GeneratedData.seed": Case((0, 1), lambda s: generated(s)[1]),
    "GeneratedData.root": Case((None, "a folder"), kept, (False, True), same=content),
    "GeoBenchV1Data.root": Case(("m-eurosat", "m-forestnet"), v1_at, ("m-eurosat", "m-forestnet")),
    "GeoBenchV1Data.partition": Case(
        ("default", "0.50x"), lambda s: v1(s).sizes["train"], (10, 5)
    ),
    "GeoBenchV1Data.compat": Case(
        (False, True), lambda s: v1(s, "m-cashew-plant").metres, (10.0, 0.5)
    ),
    "GeoBenchV1Data.task": Case((None, "multilabel"), refused(v1)),
    "GeoBenchV1Data.classes": Case((None, TEN), lambda s: v1(s).classes[0],
                                   ("m-eurosat 0", "land cover 0")),
    "GeoBenchV1Data.ignore_index": Case(
        (None, 3), lambda s: v1(s, "m-chesapeake").ignore_index, (255, 3)
    ),
    "GeoBenchV1Data.split": Case(({}, BLOCKS), v1_split, (False, True)),
    "GeoBenchV2Data.root": Case(("1", "2"), v2_at),
    "GeoBenchV2Data.dataset": Case(("benv2", "caffe"), lambda s: v2(s)[0].name,
                                   ("benv2", "caffe")),
    "GeoBenchV2Data.compat": Case((False, True), v2),
    "GeoBenchV2Data.frames": Case((1, 3), lambda s: v2(s, "pastis")[0].frames, (1, 3)),
    "GeoBenchV2Data.split": Case(({}, BLOCKS), v2_split, (False, True)),
}  # fmt: skip


def _section(scene: Scene) -> Any:
    return parse(scene.knob.owner, {"data": {"name": scene.value}}).data  # type: ignore[attr-defined]
