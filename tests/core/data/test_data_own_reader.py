"""A dataset reader of one's own, named by the path of its code."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from convert_support import image
from door_support import commands
from engine_support import recipe
from typer.testing import CliRunner

from iterate.cli.data.app import app
from iterate.hpo.study import Study
from iterate.resources import shipped
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe

TEMPLATE = Path(__file__).parents[3] / "docs/examples/own_reader.py"
NAME = "mine.py:LabelledTiles"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tiles and the template."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(TEMPLATE.read_text())
    rng = np.random.default_rng(0)
    rows = []
    for index in range(16):
        label = ("field", "wood")[index % 2]
        pixels = rng.integers(0, 90, (3, 32, 32), dtype=np.uint8) + np.uint8(90 * (index % 2))
        image(tmp_path / f"tiles/{index}.png", pixels)
        split = "train" if index < 8 else "val" if index < 12 else "test"
        rows.append({"file": f"{index}.png", "label": label, "split": split})
    with (tmp_path / "tiles/labels.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, ["file", "label", "split"])
        table.writeheader()
        table.writerows(rows)
    return tmp_path


def using(name: str = NAME) -> Recipe:
    data = {"name": name, "root": "tiles", "batch_size": 4}
    return Recipe.parse({**recipe().to_mapping(), "data": data})


def test_it_trains_by_its_path(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    iterate = commands(monkeypatch, capsys)
    words = [
        f"data={{name: '{NAME}', root: tiles, batch_size: 4}}",
        *("model.backbone.weights=none", "trainer.epochs=1"),
    ]
    base = str(shipped("search_spaces") / "recipe.yaml")
    for command in ("fit", "test"):
        said = iterate(command, base, *words, "--out", "run", "--json")
        assert said.code == 0, said.err
    assert 0 <= json.loads(said.out)["test/accuracy"] <= 1


def test_its_samples_are_shown(here: Path) -> None:
    words = ["show", "tiles", "--dataset", NAME, "--json"]
    shown = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert shown["dataset"]["classes"] == ["field", "wood"]
    assert shown["counts"]["train"] == [4, 4]
    assert (here / shown["picture"]).stat().st_size > 1000


def test_its_code_is_part_of_a_runs_and_a_studys_identity(here: Path) -> None:
    def told() -> tuple[str, str, Path]:
        prepared = prepare(using())
        study = Study.of("mine", using(), {"optimiser.lr": "interval(0, 1)"})
        return prepared.identity, study.data, prepared.pack.folder

    before = told()
    assert told() == before
    code = (here / "mine.py").read_text()
    (here / "mine.py").write_text(code.replace("image[[", "255 - image[["))
    after = told()
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_what_is_no_reader_is_told(here: Path) -> None:
    with pytest.raises(RequestError, match="Did you mean 'LabelledTiles'"):
        using("mine.py:LabeledTiles")
    (here / "mine.py").write_text(
        "class Half:\n    def __init__(self, section): self.info = None\n"
    )
    with pytest.raises(RequestError, match=r"makes no reader .* lacks names, read, fingerprint"):
        CliRunner().invoke(app, ["show", ".", "--dataset", "mine.py:Half"], catch_exceptions=False)
