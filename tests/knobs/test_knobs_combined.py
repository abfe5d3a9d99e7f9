"""Options that would do nothing beside others are refused, and the message says what would be."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from bench_support import small_suite
from config_support import loader_in
from engine_support import recipe

from iterate.bench.runs.protocol import load_protocol
from iterate.bench.suites.suite import load_suite
from iterate.config.load import load_recipe
from iterate_core.data.open import open_dataset
from iterate_core.engine import complete as check
from iterate_core.engine.build import build_model
from iterate_core.engine.resolved import prepare
from iterate_core.errors import IterateError, RequestError
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.registry import registries

DIGEST = "ab" * 32


def refusal(error: pytest.ExceptionInfo[Any]) -> dict[str, str]:
    """Where → what is wrong and what would be right."""
    return {problem.where: f"{problem.what} {problem.hint}" for problem in error.value.problems}


def test_what_counts_as_better_needs_a_patience() -> None:
    with pytest.raises(RequestError) as error:
        recipe(trainer={"min_delta": 0.1})
    assert "has no effect without trainer.patience" in refusal(error)["trainer.min_delta"]
    assert recipe(trainer={"min_delta": 0.1, "patience": 2}).trainer.min_delta == 0.1


@pytest.mark.parametrize("decoder", ["linear", "mlp", "identity"])
def test_a_vector_has_no_levels(decoder: str) -> None:
    levelled = {"decoder": {"name": decoder, "level": 8}}
    with pytest.raises(RequestError) as error:
        prepare(recipe(model=levelled))
    assert "one vector an image" in refusal(error)["model.decoder.level"]
    prepare(recipe("segmentation", model=levelled))


@pytest.mark.parametrize("weights", ["none", "hub"])
def test_a_digest_needs_a_file(weights: str) -> None:
    chosen = {"name": "test_resnet", "weights": weights, "sha256": DIGEST}
    with pytest.raises(RequestError) as error:
        prepare(recipe(model={"backbone": chosen}))
    assert "names none" in refusal(error)["model.backbone.sha256"]


def test_a_digest_is_held_against_the_published_one() -> None:
    card = card_of("dofa_base")
    assert card is not None
    assert isinstance(card.file, HubFile)
    assert card.file.sha256 is not None
    options = registries.backbones.get("dofa_base").load_options()
    given = {"name": "dofa_base", "weights": "hub"}
    right = options(**given, sha256=card.file.sha256.upper())
    assert check._digest(right, card) == []
    (wrong,) = check._digest(options(**given, sha256=DIGEST), card)
    assert card.file.sha256 in wrong.what


def test_stochastic_depth_is_refused_of_a_model_without() -> None:
    backbone = {"name": "densenet121", "weights": "none", "drop_path": 0.5}
    with pytest.raises(RequestError) as error:
        build_model(prepare(recipe(model={"backbone": backbone})), meta=True)
    assert "no stochastic depth" in refusal(error)["model.backbone.drop_path"]


def test_class_names_do_not_differ_from_those_of_the_file(tmp_path: Path) -> None:
    generated = recipe(data={"root": str(tmp_path / "data")}).data
    reader = open_dataset(generated)
    reader.fingerprint()
    names = [f"class {number}" for number in range(len(reader.info.classes))]
    with pytest.raises(IterateError) as error:
        open_dataset(_v1(tmp_path / "data", names))
    assert "other classes than" in refusal(error)["data.classes"]
    open_dataset(_v1(tmp_path / "data", list(reader.info.classes)))


def _v1(root: Path, classes: list[str]) -> Any:
    data = {"name": "geobench_v1", "root": str(root), "classes": classes}
    return recipe(data={**data, "bands": None}).data


def test_a_search_has_no_single_seed(tmp_path: Path) -> None:
    load = loader_in(tmp_path)
    searched = "defaults: [recipe, _self_]\nname: own\nspace: {optimiser.lr: 'interval(0.01, 1)'}\n"
    with pytest.raises(RequestError) as error:
        load(searched, "seed=3")
    assert "Set search.seed" in refusal(error)["seed"]
    file = load(searched).source
    assert load_recipe(file, ["optimiser.lr=0.1", "seed=3"]).seed == 3


@pytest.mark.parametrize(
    ("section", "name", "words"),
    [
        ("tasks", "classification", {"tracking.enabled": False}),
        ("datasets", "alpha", {"search": {"storage": "sqlite:///other.db"}}),
        ("backbones", "resnet18", {"ray.address": "auto"}),
    ],
)
def test_what_a_run_shares_does_not_differ_within_it(
    section: str, name: str, words: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    content = {"defaults": ["recipe", "_self_"], "name": "own", "bench": {section: {name: words}}}
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(RequestError, match="concerns the run as a whole"):
        load_protocol(str(file), load_suite(small_suite(tmp_path)))
