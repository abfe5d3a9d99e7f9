"""Spaces that depend on a choice: expanded, sampled and recorded with exactly what is active."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from config_support import Load, keys, loader_in

from iterate.config.load import LoadedStudy, load_recipe
from iterate.hpo.space import Categorical, Int, Point, to_overrides
from iterate.hpo.space.optuna import point_from, suggest
from iterate_core.errors import RequestError

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return loader_in(tmp_path)


DECODERS = {
    "model__decoder__bare": "name: test_bare",
    "model__decoder__flat": """
        name: test_flat
        space: {scale: "tag(log, interval(0.1, 10))"}
    """,
    "model__decoder__pyramid": """
        defaults: [neck: thin, _self_]
        name: test_pyramid
        space:
          channels: choice(8, 16)
          neck: choice(thin, wide)
    """,
    "model__decoder__neck__thin": "name: thin",
    "model__decoder__neck__wide": """
        name: wide
        space: {width: "int(interval(2, 4))", depth: "range(1, 4)"}
    """,
}
THREE = """
    defaults:
      - recipe
      - override model/decoder: bare
      - _self_
    space:
      optimiser.lr: tag(log, interval(1e-5, 1e-2))
      model/decoder: choice(bare, flat, pyramid)
"""
WIDE = {"model.decoder.neck.width", "model.decoder.neck.depth"}


def expected_keys(point: Point) -> set[str]:
    """Which keys a point of the three-decoder example has, said independently."""
    active = {"optimiser.lr", "model/decoder"}
    if point["model/decoder"] == "flat":
        active |= {"model.decoder.scale"}
    if point["model/decoder"] == "pyramid":
        active |= {"model.decoder.channels", "model/decoder/neck"}
        if point["model/decoder/neck"] == "wide":
            active |= WIDE
    return active


def sampled(study: LoadedStudy, trials: int) -> Sequence[tuple[Point, optuna.trial.FrozenTrial]]:
    search = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    points = []
    for _ in range(trials):
        trial = search.ask()
        points.append(suggest(study.space, trial))
        search.tell(trial, 0.0)
    return list(zip(points, search.trials, strict=True))


def test_three_decoders_and_a_second_level(load: Load, tmp_path: Path) -> None:
    study = load(THREE, **DECODERS)
    seen = set()
    for point, trial in sampled(study, 24):
        assert set(point) == expected_keys(point)
        assert {name.split("@")[0] for name in trial.params} == set(point)
        assert point_from(study.space, trial.params) == point
        recipe = study.recipe_at(point, 5)
        decoder = recipe.to_mapping()["model"]["decoder"]
        assert decoder["name"] == f"test_{point['model/decoder']}"
        for key, value in point.items():
            if key.startswith("model.decoder.") and "neck" not in key:
                assert decoder[key.split(".")[-1]] == value
        if point.get("model/decoder/neck") == "wide":
            assert decoder["neck"] == {
                "name": "wide",
                "width": point["model.decoder.neck.width"],
                "depth": point["model.decoder.neck.depth"],
            }
            names = set(trial.params)
            condition = "model/decoder=pyramid,model/decoder/neck=wide"
            assert names >= {f"{key}@{condition}" for key in WIDE}
        # The point as words, through Hydra's own grammar, gives the same recipe, and no space.
        words = [*to_overrides(point), "seed=5"]
        assert load_recipe(tmp_path / "search.yaml", words) == recipe
        seen.add((point["model/decoder"], point.get("model/decoder/neck")))
    assert seen == {("bare", None), ("flat", None), ("pyramid", "thin"), ("pyramid", "wide")}


def test_fixing_a_group_keeps_its_options_space(load: Load) -> None:
    fixed = load(THREE, "model/decoder=pyramid", **DECODERS)
    assert set(fixed.space.all_keys()) == {
        "optimiser.lr",
        "model.decoder.channels",
        "model/decoder/neck",
        *WIDE,
    }
    both = load(THREE, "model/decoder=pyramid", "model/decoder/neck=wide")
    assert set(both.space.all_keys()) == {"optimiser.lr", "model.decoder.channels", *WIDE}
    assert both.recipe.to_mapping()["model"]["decoder"]["neck"]["name"] == "wide"


def test_words_for_conditional_keys_hold_where_they_mean_something(load: Load) -> None:
    constant = load(THREE, "model.decoder.channels=32", **DECODERS)
    decoder = constant.space.parameters[1]
    assert keys(decoder.branch("pyramid")) == ["model/decoder/neck"]
    point: Point = {"optimiser.lr": 1e-3, "model/decoder": "pyramid", "model/decoder/neck": "thin"}
    assert constant.recipe_at(point, 0).to_mapping()["model"]["decoder"]["channels"] == 32
    assert constant.recipe_at({"optimiser.lr": 1e-3, "model/decoder": "bare"}, 0)
    neck = load(THREE, "model/decoder/neck=wide")
    pyramid = neck.space.parameters[1].branch("pyramid")
    assert {"model.decoder.neck.width", "model.decoder.neck.depth"} <= pyramid.all_keys()
    replaced = load(THREE, "model.decoder.channels=range(1, 4)")
    branch = replaced.space.parameters[1].branch("pyramid")
    assert branch.parameters[0].dimension == Int(1, 3)
    assert keys(replaced.space) == ["optimiser.lr", "model/decoder"]
    fewer = load(THREE, "model/decoder=bare,pyramid")
    assert fewer.space.parameters[1].dimension == Categorical(("bare", "pyramid"))
    assert keys(fewer.space.parameters[1].branch("pyramid")) == [
        "model.decoder.channels",
        "model/decoder/neck",
    ]
    globbed = load(THREE, "model/decoder=glob([*a*], exclude=[line*,flat,attentive*,deep*])")
    assert globbed.space.parameters[1].dimension == Categorical(("bare", "pyramid"))
    gone = load(THREE, "~space.model.decoder.channels").space.parameters[1]
    assert keys(gone.branch("pyramid")) == ["model/decoder/neck"]
    with pytest.raises(RequestError, match="Did you mean 'channels'"):
        load(THREE, "model.decoder.chanels=3")


def test_mapping_form_below_a_group_and_below_a_field(load: Load) -> None:
    text = """
        defaults: [recipe, override model/decoder: bare, _self_]
        space:
          model/decoder:
            bare: {}
            pyramid:
              model.decoder.channels: choice(4, 5)
              augmentation.flip:
                true: {trainer.epochs: "range(1, 4)"}
                false: {trainer.epochs: "range(10, 20)"}
            flat:
              optimiser.lr: interval(1, 2)
    """
    study = load(text, **DECODERS)
    for point, _ in sampled(study, 20):
        active = set(point) - {"model/decoder"}
        if point["model/decoder"] == "bare":
            assert active == set()
        elif point["model/decoder"] == "flat":
            assert active == {"optimiser.lr", "model.decoder.scale"}
        else:
            assert active >= {"model.decoder.channels", "augmentation.flip", "trainer.epochs"}
            assert point["model.decoder.channels"] in (4, 5)
            epochs = study.recipe_at(point, 0).trainer.epochs
            assert (epochs in range(1, 4)) == point["augmentation.flip"]
    kept = load(text, "model/decoder=pyramid", "augmentation.flip=true")
    assert {"model.decoder.channels", "trainer.epochs"} <= kept.space.all_keys()
    assert kept.space.parameters[-1].dimension == Int(1, 3)
    narrowed = load(text, "model/decoder=choice(bare, pyramid)").space.parameters[0]
    assert "augmentation.flip" in narrowed.branch("pyramid").all_keys()


def test_every_branch_and_every_model_comes_up_once_at_least(load: Load) -> None:
    study = load(THREE, "data.batch_size=4,8", "data.bands=choice([B02],[B03])", **DECODERS)
    conditions = [condition for condition, _ in study.branches()]
    assert conditions[0] == ()
    assert (("data.bands", ("B03",)),) in conditions
    assert (("model/decoder", "flat"),) in conditions
    assert (("model/decoder", "pyramid"), ("model.decoder.channels", 16)) in conditions
    assert (("model/decoder", "pyramid"), ("model/decoder/neck", "wide")) in conditions
    assert not [key for condition in conditions for key, _ in condition if "batch" in key]
    decoders = {recipe.model.decoder.name for _, recipe in study.branches()}
    assert decoders == {"test_bare", "test_flat", "test_pyramid"}


# --- light and fast ---------------------------------------------------------------------------


def test_no_torch_and_within_time(load: Load, tmp_path: Path) -> None:
    load(THREE, **DECODERS)
    began = time.process_time()
    study = load(THREE)
    assert time.process_time() - began < 1.0
    point: Point = {"optimiser.lr": 1e-3, "model/decoder": "bare"}
    began = time.process_time()
    for _ in range(10):
        study.recipe_at(point, 0)
    assert time.process_time() - began < 0.5
    program = (
        "import sys; from pathlib import Path; from iterate.config.load import load_study;"
        "load_study(Path(sys.argv[1]));"
        "sys.exit(repr({'torch', 'optuna', 'ray', 'mlflow', 'timm'} & set(sys.modules)))"
    )
    shipped = Path(__file__).parents[2] / "search_spaces" / "decoders.yaml"
    done = subprocess.run(
        [sys.executable, "-c", program, str(shipped)], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "set()"
