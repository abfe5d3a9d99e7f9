"""From a user's YAML and words to a study: composition, precedence, conditional spaces."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import pytest
import yaml

from iterate.config.load import LoadedStudy, load_recipe, load_study
from iterate.core import components
from iterate.core.errors import RequestError
from iterate.core.registry import Entry
from iterate.core.section import Component, Section
from iterate.search.space import Categorical, Float, Int, Point, Space, to_overrides
from iterate.search.space.optuna import point_from, suggest

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Neck(Section):
    """A section below a decoder, so that a config group can stand below a config group."""

    name: str
    width: int = 1
    depth: int = 1


class Pyramid(Component):
    """A decoder with such a section."""

    channels: int = 8
    neck: Neck = Neck(name="thin")


class Flat(Component):
    """A decoder with an option of its own."""

    scale: float = 1.0


for _name, _options in (("test_pyramid", Pyramid), ("test_flat", Flat), ("test_bare", Component)):
    components.decoders.register(Entry(_name, _options, _options))

Load = Callable[..., LoadedStudy]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loader(text: str, *overrides: str, **files: str) -> LoadedStudy:
        for name, content in files.items():
            path = tmp_path / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content))
        file = tmp_path / "search.yaml"
        file.write_text(textwrap.dedent(text))
        return load_study(file, overrides)

    return loader


BASE = """
    defaults: [recipe, _self_]
    name: base
"""


def keys(space: Space) -> list[str]:
    return [parameter.key for parameter in space.parameters]


# --- composition ------------------------------------------------------------------------------


def test_the_example_of_the_guide(load: Load) -> None:
    study = load("""
        defaults:
          - recipe
          - override model/backbone: resnet18
          - override model/decoder: linear
          - override data: geobench_v1
          - override search: tpe
          - _self_
        name: my-search
        data: {root: data/m-eurosat, bands: [B02, B03, B04]}
        optimiser: {lr: 1e-3}
        objective: {metric: accuracy}
        space:
          optimiser.lr: tag(log, interval(1e-5, 1e-2))
          data.batch_size: choice(8, 16, 32)
          model/decoder: choice(linear, mlp)
          model.freeze:
            true: {optimiser.weight_decay: interval(0, 0.1)}
            false: {}
        search: {trials: 16, repeats: 3}
        resources: {cpu: 1, gpu: 0}
    """)
    recipe, config = study.recipe, study.config
    assert config.name == "my-search"
    assert recipe.model.backbone.name == "resnet18"
    assert recipe.data.bands == ("B02", "B03", "B04")
    assert recipe.to_mapping()["optimiser"]["lr"] == 1e-3
    assert recipe.objective.metric == "accuracy"
    assert (config.search.trials, config.search.repeats, config.resources.cpu) == (16, 3, 1.0)
    assert config.search.sampler.name == "tpe"
    lr, batch, decoder, freeze = study.space.parameters
    assert lr.dimension == Float(1e-5, 1e-2, log=True)
    assert batch.dimension == Categorical((8, 16, 32))
    assert (decoder.key, decoder.dimension) == ("model/decoder", Categorical(("linear", "mlp")))
    assert decoder.branches == ()
    assert freeze.dimension == Categorical((True, False))
    assert [keys(branch) for branch in freeze.branches] == [["optimiser.weight_decay"], []]
    assert study.base == {
        "optimiser.lr": 1e-3,
        "data.batch_size": 32,
        "model/decoder": "linear",
        "model.freeze": False,
    }


def test_the_users_folder_comes_before_what_ships(load: Load) -> None:
    text = BASE + "    model: {freeze: true}\n"
    mine = "{name: adamw, lr: 0.25}"
    study = load(text, "optimiser=mine", optimiser__mine=mine, optimiser__adamw=mine)
    assert study.recipe.to_mapping()["optimiser"]["lr"] == 0.25
    assert load(text).recipe.to_mapping()["optimiser"]["lr"] == 0.25
    assert load(text, "optimiser=sgd").recipe.optimiser.name == "sgd"


def test_a_search_path_of_the_file_is_followed(load: Load, tmp_path: Path) -> None:
    lab = tmp_path / "lab" / "optimiser"
    lab.mkdir(parents=True)
    (lab / "ours.yaml").write_text("{name: sgd, lr: 0.125}")
    text = BASE + "    hydra: {searchpath: [lab]}\n"
    assert load(text, "optimiser=ours").recipe.to_mapping()["optimiser"]["lr"] == 0.125
    with pytest.raises(RequestError, match="there is no folder"):
        load(BASE + "    hydra: {searchpath: [nowhere]}\n")


def test_a_file_without_defaults_stands_alone(load: Load) -> None:
    complete = """
        data: {name: generated}
        model: {backbone: {name: resnet18, weights: none}, decoder: {name: linear}}
        optimiser: {name: sgd}
        scheduler: {name: constant}
        space: {model/decoder: "choice(linear, mlp)"}
    """
    study = load(complete)
    assert study.config.name == "search"  # of the file
    assert study.recipe.to_mapping()["optimiser"]["lr"] == 1e-2  # the schema's default
    assert study.recipe_at({"model/decoder": "mlp"}, 0).model.decoder.name == "mlp"
    with pytest.raises(RequestError, match=r"optimiser: is required"):
        load(complete.replace("optimiser: {name: sgd}", ""))


def test_a_resolved_recipe_comes_back(load: Load, tmp_path: Path) -> None:
    study = load(BASE + "    space: {optimiser.lr: 'interval(0.1, 0.2)'}\n")
    recipe = study.recipe_at({"optimiser.lr": 0.125}, seed=7)
    assert (recipe.seed, recipe.to_mapping()["optimiser"]["lr"]) == (7, 0.125)
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.to_mapping()))
    assert load_recipe(file) == recipe
    assert load_recipe(file, ["trainer.epochs=3"]).trainer.epochs == 3
    with pytest.raises(RequestError, match=r"space.optimiser.lr: is still to be searched"):
        load_recipe(study.source)
    assert load_recipe(study.source, ["optimiser.lr=0.125", "seed=7"]) == recipe


def test_samplers_by_name_or_with_options(load: Load) -> None:
    study = load(BASE + "    search: {sampler: gp, scheduler: median}\n")
    # Merged over the preset's own {name: tpe, startup_trials: 10}, text replaces it.
    assert study.config.search.sampler.model_dump() == {"name": "gp", "startup_trials": 10}
    assert study.config.search.scheduler.name == "median"
    asha = load(BASE, "search=asha", "search.scheduler.reduction_factor=4").config.search.scheduler
    assert asha.model_dump() == {"name": "asha", "min_epochs": 2, "reduction_factor": 4}


# --- who wins ---------------------------------------------------------------------------------

SEARCHED = (
    BASE
    + """
    optimiser: {lr: 0.5}
    space:
      optimiser.lr: tag(log, interval(1e-5, 1e-2))
      trainer.epochs: range(1, 5)
"""
)


def test_the_command_line_wins(load: Load) -> None:
    fixed = load(SEARCHED, "optimiser.lr=0.25")
    assert keys(fixed.space) == ["trainer.epochs"]
    assert fixed.recipe.to_mapping()["optimiser"]["lr"] == 0.25
    narrowed = load(SEARCHED, "optimiser.lr=choice(1e-3, 1e-4)", "data.batch_size=4,8")
    assert {p.key: p.dimension for p in narrowed.space.parameters} == {
        "optimiser.lr": Categorical((1e-3, 1e-4)),
        "trainer.epochs": Int(1, 4),
        "data.batch_size": Categorical((4, 8)),
    }
    assert keys(load(SEARCHED, "~space.optimiser.lr").space) == ["trainer.epochs"]
    assert load(SEARCHED, "~space.optimiser.lr").recipe.to_mapping()["optimiser"]["lr"] == 0.5
    assert not load(SEARCHED, "~space").space
    assert keys(load(SEARCHED, "~space", "seed=1", "data.batch_size=4,8").space) == [
        "data.batch_size"
    ]
    # Of two words for one key the later one counts.
    assert keys(load(SEARCHED, "optimiser.lr=1", "optimiser.lr=interval(1, 2)").space) == [
        "optimiser.lr",
        "trainer.epochs",
    ]


def test_words_may_set_what_the_files_do_not_hold(load: Load) -> None:
    recipe = load(BASE, "trainer.gradient_clip=1.5", "data.bands=[B02,B03]").recipe
    assert recipe.trainer.gradient_clip == 1.5
    assert recipe.data.bands == ("B02", "B03")
    assert load(BASE, "+trainer.patience=3").recipe.trainer.patience == 3
    assert load(BASE, "optimiser={lr: 0.75}").recipe.to_mapping()["optimiser"]["lr"] == 0.75
    assert load(BASE, "~scheduler.warmup_epochs").recipe.scheduler.name == "cosine"


OPTION = """
    name: adamw
    lr: 0.001
    space: {lr: "interval(0.1, 0.2)", weight_decay: "interval(0, 1)"}
"""


def test_the_space_of_an_option_file(load: Load) -> None:
    study = load(BASE, "optimiser=mine", optimiser__mine=OPTION)
    assert keys(study.space) == ["optimiser.lr", "optimiser.weight_decay"]
    # The user's own file fixes what comes from an option file alone, ...
    fixed = load(BASE + "    optimiser: {lr: 0.5}\n", "optimiser=mine")
    assert keys(fixed.space) == ["optimiser.weight_decay"]
    assert fixed.recipe.to_mapping()["optimiser"]["lr"] == 0.5
    # ... takes its place, or takes it away.
    own = load(BASE + "    space: {optimiser.lr: 'choice(1, 2)'}\n", "optimiser=mine")
    assert own.space.parameters[0].dimension == Categorical((1, 2)) or (
        {p.key: p.dimension for p in own.space.parameters}["optimiser.lr"] == Categorical((1, 2))
    )
    null = load(BASE + "    space: {optimiser.lr: null}\n", "optimiser=mine")
    assert keys(null.space) == ["optimiser.weight_decay"]
    # Not chosen, it has no say.
    assert not load(BASE).space


def test_a_space_may_stand_in_any_section(load: Load) -> None:
    study = load(BASE + "    model: {space: {freeze: 'choice(true, false)'}}\n")
    assert keys(study.space) == ["model.freeze"]
    assert study.space.parameters[0].dimension == Categorical((True, False))


def test_constants_and_interpolations(load: Load) -> None:
    study = load(
        BASE
        + """
    trainer: {epochs: 6, patience: "${trainer.epochs}"}
    data: {eval_batch_size: "${data.batch_size}"}
    space:
      trainer.epochs: range(2, 10)
      data.batch_size: choice(8, "${trainer.epochs}")
"""
    )
    recipe = study.recipe_at({"trainer.epochs": 4, "data.batch_size": "${trainer.epochs}"}, 0)
    assert (recipe.trainer.epochs, recipe.trainer.patience) == (4, 4)
    assert (recipe.data.batch_size, recipe.data.eval_batch_size) == (4, 4)
    assert study.recipe.trainer.patience == 6


def test_lists_and_nulls_are_choices(load: Load) -> None:
    study = load(
        BASE
        + """
    space:
      data.bands: choice([B02], [B03, B04], null)
      trainer.patience: choice(null, 5)
"""
    )
    bands, patience = (parameter.dimension for parameter in study.space.parameters)
    assert bands == Categorical((("B02",), ("B03", "B04"), None))
    assert patience == Categorical((None, 5))
    for point in study.space.points():
        recipe = study.recipe_at(point, 0)
        assert recipe.data.bands == point["data.bands"]
        assert recipe.trainer.patience == point["trainer.patience"]


# --- conditional spaces -----------------------------------------------------------------------

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
    globbed = load(THREE, "model/decoder=glob([*a*], exclude=[line*,flat])")
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
              model.freeze:
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
            assert active >= {"model.decoder.channels", "model.freeze", "trainer.epochs"}
            assert point["model.decoder.channels"] in (4, 5)
            epochs = study.recipe_at(point, 0).trainer.epochs
            assert (epochs in range(1, 4)) == point["model.freeze"]
    kept = load(text, "model/decoder=pyramid", "model.freeze=true")
    assert {"model.decoder.channels", "trainer.epochs"} <= kept.space.all_keys()
    assert kept.space.parameters[-1].dimension == Int(1, 3)
    narrowed = load(text, "model/decoder=choice(bare, pyramid)").space.parameters[0]
    assert "model.freeze" in narrowed.branch("pyramid").all_keys()


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
    shipped = Path(__file__).parent.parent / "search_spaces" / "decoders.yaml"
    done = subprocess.run(
        [sys.executable, "-c", program, str(shipped)], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "set()"
