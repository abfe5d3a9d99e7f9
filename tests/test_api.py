"""The Python interface does what the commands do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iterate.resources import shipped
from iterate_core.errors import RequestError

CODE = """
import json, sys
from pathlib import Path
import iterate.hpo.study  # the subpackage of that name does not hide the function
from iterate import Recipe, Study, fit, load_recipe, load_study, search
from iterate.tracking.settings import TrackingSettings

quickstart, out = Path(sys.argv[1]), Path(sys.argv[2])
words = ["trainer.epochs=1", "data.samples=[24,12,12]", "data.size=16", "search.trials=1"]
study = load_study(quickstart, [*words, "search.repeats=1"])
assert isinstance(study, Study)
off = TrackingSettings(enabled=False)
result = search(study, out / "searched", tracking=off)
recipe = load_recipe(out / "searched" / "recipe.yaml")
assert isinstance(recipe, Recipe)
again = fit(recipe, out / "fitted")
made = Study.of("made", recipe, {"optimiser.lr": "choice(0.001, 0.01)"}, trials=2, repeats=0)
several = search([made, study], out / "several", tracking=off)
print(json.dumps([result.summary, again.value, several.summary]))
"""


def test_search_and_fit_from_python(tmp_path: Path) -> None:
    quickstart = shipped("search_spaces") / "quickstart.yaml"
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(quickstart), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    searched, again, several = json.loads(done.stdout)
    (study,) = searched["studies"]
    assert study["trials"]["complete"] == 1
    # The best recipe trained alone gives the number it gave in the search.
    assert again == study["best"]["value"]
    assert [s["name"] for s in several["studies"]] == ["made", "quickstart"]
    assert several["studies"][0]["trials"]["complete"] == 2
    assert (tmp_path / "several/made/recipe.yaml").exists()


def test_a_wrong_file_is_an_exception_with_every_problem(tmp_path: Path) -> None:
    from iterate import load_study

    with pytest.raises(RequestError) as refused:
        load_study(tmp_path / "absent.yaml")
    assert "absent.yaml" in str(refused.value)
