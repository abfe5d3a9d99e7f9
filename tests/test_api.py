"""The Python interface does what the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

import iterate.hpo.study  # noqa: F401 - the subpackage does not hide the function
from iterate import Recipe, Study, fit, load_recipe, load_study, search
from iterate.resources import shipped
from iterate.tracking.settings import TrackingSettings
from iterate_core.errors import RequestError

OFF = TrackingSettings(enabled=False)
WORDS = [
    *("model.backbone.name=test_resnet", "data.samples=[24,12,12]", "data.size=16"),
    *("trainer.epochs=1", "search.trials=1", "search.repeats=1"),
]


@pytest.mark.usefixtures("one_ray")
def test_search_and_fit_from_python(tmp_path: Path) -> None:
    study = load_study(shipped("search_spaces") / "quickstart.yaml", WORDS)
    assert isinstance(study, Study)
    lr = {"optimiser.lr": "choice(0.001, 0.01)"}
    made = Study.of("made", study.recipe, lr, trials=2, repeats=0)
    result = search([made, study], tmp_path / "several", tracking=OFF)
    own, searched = result.summary["studies"]
    assert (own["name"], own["trials"]["complete"]) == ("made", 2)
    assert (searched["name"], searched["trials"]["complete"]) == ("quickstart", 1)
    assert (tmp_path / "several/made/recipe.yaml").exists()
    # The best recipe trained alone gives the number it gave in the search.
    recipe = load_recipe(tmp_path / "several/quickstart/recipe.yaml")
    assert isinstance(recipe, Recipe)
    assert fit(recipe, tmp_path / "fitted").value == searched["best"]["value"]


def test_a_wrong_file_is_an_exception_with_every_problem(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        load_study(tmp_path / "absent.yaml")
    assert "absent.yaml" in str(refused.value)
