"""From a user's YAML and words to a study: composition, and who wins."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from config_support import Load, keys, loader_in

from iterate.config.load import load_recipe
from iterate.hpo.space import Categorical, Float, Int
from iterate_core.errors import RequestError


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return loader_in(tmp_path)


BASE = """
    defaults: [recipe, _self_]
    name: base
"""


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
          augmentation.flip:
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
    lr, batch, decoder, flip = study.space.parameters
    assert lr.dimension == Float(1e-5, 1e-2, log=True)
    assert batch.dimension == Categorical((8, 16, 32))
    assert (decoder.key, decoder.dimension) == ("model/decoder", Categorical(("linear", "mlp")))
    assert decoder.branches == ()
    assert flip.dimension == Categorical((True, False))
    assert [keys(branch) for branch in flip.branches] == [["optimiser.weight_decay"], []]
    assert study.base == {
        "optimiser.lr": 1e-3,
        "data.batch_size": 32,
        "model/decoder": "linear",
        "augmentation.flip": True,
        "optimiser.weight_decay": 0.01,
    }


def test_the_users_folder_comes_before_what_ships(load: Load) -> None:
    text = BASE + "    model: {frames: max}\n"
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
    assert asha.model_dump() == {"name": "asha", "min_epochs": 3, "reduction_factor": 4}


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
    assert keys(load(SEARCHED, "~space", "search.seed=1", "data.batch_size=4,8").space) == [
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
    dimensions = {parameter.key: parameter.dimension for parameter in own.space.parameters}
    assert dimensions["optimiser.lr"] == Categorical((1, 2))
    null = load(BASE + "    space: {optimiser.lr: null}\n", "optimiser=mine")
    assert keys(null.space) == ["optimiser.weight_decay"]
    # Not chosen, it has no say.
    assert not load(BASE).space


def test_a_space_may_stand_in_any_section(load: Load) -> None:
    study = load(BASE + "    augmentation: {space: {flip: 'choice(true, false)'}}\n")
    assert keys(study.space) == ["augmentation.flip"]
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
