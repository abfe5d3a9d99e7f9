"""Ways to fine-tune in search files: chosen and searched as a decoder is, plug-ins alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_support import keys, loader_in
from safetensors import safe_open

from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.registry import registries

SMALL = """
    defaults: [recipe, _self_]
    data: {samples: [8, 4, 4], size: 16, batch_size: 4, bands: [red, nir]}
    model: {backbone: {name: test_resnet, weights: none}}
    trainer: {epochs: 1}
"""
PLUG_IN = """
from iterate_core.models.tuning.base import Tuning
from iterate_core.models.tuning.options import TuningOptions
from iterate_core.registry.registry import Entry

class Stage(TuningOptions):
    name_of: str = "layer4"

class StageTuning(Tuning):
    options = Stage

    def parts(self, backbone):
        return [backbone.get_submodule("model." + self.options.name_of)]

def add(registry):
    registry.register(Entry("stage", Stage, StageTuning))
"""


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package is installed that adds a way to fine-tune through its entry point."""
    (tmp_path / "stage_plug_in.py").write_text(PLUG_IN)
    package = tmp_path / "stage_plug_in-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: stage-plug-in\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[iterate.tunings]\nstage = stage_plug_in:add\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registries.tunings, "_discovered", False)
    monkeypatch.setattr(registries.tunings, "_entries", {})


def test_each_way_may_carry_a_space_of_its_own(tmp_path: Path) -> None:
    load = loader_in(tmp_path)
    text = (
        SMALL
        + """
    space:
      tuning:
        full: {optimiser.lr: "interval(0.1, 1)"}
        frozen: {}
        last_k: {tuning.k: "range(1, 4)"}
    """
    )
    (tuning,) = load(text).space.parameters
    assert [keys(branch) for branch in tuning.branches] == [["optimiser.lr"], [], ["tuning.k"]]
    counts = {getattr(recipe.tuning, "k", None) for _, recipe in load(text).branches()}
    assert counts >= {1, 3}  # the ends are tried before anything trains
    assert load(text, "tuning=last_k", "tuning.k=3").recipe.tuning.model_dump() == {
        "name": "last_k",
        "k": 3,
    }
    with pytest.raises(RequestError, match=r"tuning\.k: input should be greater than 0"):
        load(SMALL, "tuning=last_k", "tuning.k=0")


@pytest.mark.usefixtures("plugged")
def test_a_way_of_another_package_is_searched_and_trains(tmp_path: Path) -> None:
    option = "{name: stage, name_of: layer3}"
    text = SMALL + "    space: {tuning: 'choice(full, stage)'}\n"
    study = loader_in(tmp_path)(text, tuning__stage=option)
    by_name = {recipe.tuning.name: recipe for _, recipe in study.branches()}
    assert set(by_name) == {"full", "stage"}
    fit.fit(prepare(by_name["stage"]), tmp_path / "run")
    assert saved_stages(tmp_path / "run") == {"layer3"}


def test_a_way_may_be_named_by_the_path_of_its_code(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PLUG_IN)
    name = f"tuning.name='{tmp_path}/own.py:StageTuning'"
    study = loader_in(tmp_path)(SMALL, name, "tuning.name_of=layer2")
    fit.fit(prepare(study.recipe), tmp_path / "run")
    assert saved_stages(tmp_path / "run") == {"layer2"}


def test_the_template_of_the_guide_trains_norms_and_the_first_convolution(tmp_path: Path) -> None:
    template = Path(__file__).parents[2] / "docs/examples/own_tuning.py"
    study = loader_in(tmp_path)(SMALL, f"tuning.name='{template}:Norms'", "tuning.first=true")
    fit.fit(prepare(study.recipe), tmp_path / "run")
    with safe_open(tmp_path / "run" / "best.safetensors", framework="pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    assert [name for name, shape in shapes.items() if len(shape) == 4] == [
        "backbone.model.conv1.0.weight"
    ]
    assert any("bn" in name for name in shapes)


def test_a_way_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    base = "from iterate_core.models.tuning.base import Tuning\nclass Mine(Tuning): pass\n"
    (tmp_path / "own.py").write_text(base)
    with pytest.raises(
        RequestError, match=r"tuning\.name: .* is no way to fine-tune: it lacks parts"
    ):
        loader_in(tmp_path)(SMALL, f"tuning.name='{tmp_path}/own.py:Mine'")


def saved_stages(folder: Path) -> set[str]:
    """The stages of the backbone that a checkpoint holds."""
    with safe_open(folder / "best.safetensors", framework="pt") as file:
        names = list(file.keys())
    return {name.split(".")[2] for name in names if name.startswith("backbone.")}
