"""What is refused is refused by `plan` too and leaves nothing; recipes work from anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from door_support import Command, commands

from iterate.config.load import load_recipe
from iterate_core.data.generated.reader import GeneratedData, generate

SEARCH = """
defaults: [recipe, override data: geobench_v1, _self_]
data: {root: data/small, batch_size: 8}
model: {backbone: {name: resnet10t, weights: none}}
trainer: {epochs: 1}
search: {trials: 1, repeats: 1}
tracking: {enabled: false}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a search file, and the data it names relative to itself."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "search.yaml").write_text(SEARCH)
    section = GeneratedData(kind="classification", samples=(12, 6, 6), size=16)
    generate(section, folder / "data/small")
    return folder


@pytest.fixture
def iterate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return commands(monkeypatch, capsys)


@pytest.mark.parametrize("backbone", ["resnet18", "terramind_v1_tiny"])
def test_plan_refuses_weights_that_cannot_be_had(
    iterate: Command, project: Path, monkeypatch: pytest.MonkeyPatch, backbone: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(project / "none"))
    words = [f"model.backbone.name={backbone}", "model.backbone.weights=hub"]
    said = iterate("plan", str(project / "search.yaml"), *words)
    assert said.code == 2
    assert "HF_HUB_OFFLINE is set" in said.line
    assert iterate("plan", str(project / "search.yaml")).code == 0


def test_plan_finds_weights_that_another_tool_fetched(
    iterate: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "hub/models--timm--resnet18.a1_in1k").mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(project / "hub"))
    words = ["model.backbone.name=resnet18", "model.backbone.weights=hub"]
    assert iterate("plan", str(project / "search.yaml"), *words).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["model.backbone.weights=nowhere.pth"],
        ["resources.cpu=4096", "--out", "new/run"],
        ["search.storage=nonsense"],
        ["search.storage=sqlite:////no/such/folder/x.db", "--out", "new/run"],
    ],
)
def test_a_refused_search_leaves_nothing(iterate: Command, project: Path, words: list[str]) -> None:
    said = iterate("hpo", str(project / "search.yaml"), *words)
    assert said.code == 2, said.err
    assert list(Path().iterdir()) == []


def test_a_refused_fit_or_test_leaves_nothing(iterate: Command, project: Path) -> None:
    file = str(project / "search.yaml")
    assert iterate("fit", file, "data.bands=[B99]").code == 2
    assert iterate("test", file).code == 2
    assert list(Path().iterdir()) == []


def test_what_was_in_a_folder_stays(iterate: Command, project: Path) -> None:
    Path("run").mkdir()
    Path("run/mine.txt").touch()
    assert iterate("hpo", str(project / "search.yaml"), "--out", "run", "resources.cpu=4096").code
    assert [path.name for path in Path("run").iterdir()] == ["mine.txt"]


def test_a_root_is_found_beside_the_file_then_here(
    iterate: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "search.yaml"
    assert load_recipe(file).to_mapping()["data"]["root"] == str(project / "data/small")
    said = iterate("plan", str(file), "data.root=data/small")
    assert said.code == 2
    assert f"Tried: {Path.cwd() / 'data/small'}." in said.line
    file.write_text(SEARCH.replace("data/small", "absent"))
    said = iterate("plan", str(file))
    assert f"Tried: {project / 'absent'}, {Path.cwd() / 'absent'}." in said.line
    Path("absent").symlink_to(project / "data/small")
    assert iterate("plan", str(file)).code == 0


@pytest.mark.slow
def test_a_runs_recipe_is_tested_from_anywhere(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "iterate", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    monkeypatch.chdir(project)
    done = run("hpo", "search.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    written = yaml.safe_load((project / "run/recipe.yaml").read_text())
    assert written["data"]["root"] == str(project / "data/small")
    done = run("test", "project/run/recipe.yaml")
    assert done.returncode == 0, done.stderr
    assert "trials/0000" in done.stderr
    repeat = next((project / "run/repeats").iterdir())
    done = run("test", str(repeat / "recipe.yaml"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((repeat / "test.json").read_text())
    done = run("test", "project/run/recipe.yaml", "seed=99")
    assert done.returncode == 2
    assert "no training in this folder is of this recipe; there are repeats/" in done.stderr


def test_dir_lists_the_python_interface() -> None:
    import iterate as package

    assert {"Recipe", "Study", "fit", "load_recipe", "load_study", "search"} <= set(dir(package))
    assert all(hasattr(package, name) for name in dir(package))
