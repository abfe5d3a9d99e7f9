"""Every file that ships opens with the command that runs it, and that command is right."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from iterate.cli.main import main
from iterate.config.compose import Composer
from iterate.config.load import load_recipe, load_study
from iterate.config.studies import prepared_branches
from iterate.config.trying import try_branches
from iterate.hpo import shares
from iterate.resources import shipped

FOLDER = shipped("search_spaces")
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml"))
READY = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "recipe.yaml")


def command_of(name: str) -> list[str]:
    """The words of the command that a file's comment shows."""
    text = (FOLDER / name).read_text()
    found = re.search(r"^# +(iterate .*)$", text.split("\n\n")[0], re.MULTILINE)
    assert found is not None, f"{name} does not open with the command that runs it"
    return shlex.split(found[1])


def test_the_expected_files_ship() -> None:
    assert READY == [
        "augmentation.yaml",
        "backbones.yaml",
        "change_detection.yaml",
        "classification.yaml",
        "decoders.yaml",
        "detection.yaml",
        "downscaling.yaml",
        "frozen.yaml",
        "instance_segmentation.yaml",
        "pixels.yaml",
        "probe.yaml",
        "probe_linear.yaml",
        "probe_segmentation.yaml",
        "quickstart.yaml",
        "scalar_regression.yaml",
        "segmentation.yaml",
        "tuning.yaml",
    ]
    composer = Composer(FOLDER / "recipe.yaml")
    assert composer.options("model/decoder") == [
        "attentive_maps", "attentive_pool", "bilinear_conv", "deeplabv3plus", "dpt", "faster_rcnn",
        "fcn", "fcos", "fpn", "identity", "knn", "linear", "linknet", "logistic", "manet",
        "mask_rcnn", "mlp", "pan", "pspnet", "retinanet", "segformer", "unet", "unetplusplus",
        "upernet",
    ]  # fmt: skip
    assert composer.options("model/backbone") == [
        "clay", "convnext_tiny", "dofa", "efficientnet_lite0", "presto", "prithvi",
        "prithvi_tiny",
        "resnet18", "resnet50", "satmae", "terramind", "terramind_tiny", "timm", "vit_small",
    ]  # fmt: skip
    assert composer.options("model/neck") == ["fpn", "learned", "resize"]
    assert composer.options("tuning") == [
        "adalora", "bitfit", "dora", "frozen", "full", "gradual", "ia3", "last_k", "layerwise",
        "lora", "vera", "visual_prompt",
    ]  # fmt: skip
    assert composer.options("augmentation") == [
        "dihedral", "geometric", "mixed", "none", "spectral",
    ]  # fmt: skip
    assert composer.options("loss") == [
        "binary_cross_entropy", "cross_entropy", "default", "dice", "focal", "huber", "jaccard",
        "l1", "lovasz", "mse", "sum", "tversky",
    ]  # fmt: skip
    assert composer.options("search") == [
        "asha", "cmaes", "gp", "grid", "hyperband", "median", "nsgaii", "qmc", "random", "tpe",
    ]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_command_of_each_file_is_legal(name: str) -> None:
    program, command, file, *words = command_of(name)
    assert program == "iterate"
    words = [word.replace("FOLDER", "somewhere") for word in words]
    if name.startswith("search/grid"):
        # A grid takes a finite space, so the ready-made one must be narrowed.
        words += ["optimiser.lr=choice(1e-3,1e-4)", "optimiser.weight_decay=choice(0,0.1)"]
    path = FOLDER.parent / file
    if command == "fit":
        load_recipe(path, words)
        return
    assert command == "hpo"
    study = load_study(path, words)
    assert study.space
    group, _, option = name.removesuffix(".yaml").rpartition("/")
    if group:
        composed = Composer(path, words).compose()
        searched = {parameter.key for parameter in study.space.parameters}
        assert composed.choices[group] == option or group in searched


@pytest.mark.parametrize("name", READY)
def test_a_ready_made_file_composes_alone(name: str) -> None:
    words = [] if "???" not in (FOLDER / name).read_text() else ["data.root=somewhere"]
    study = load_study(FOLDER / name, words)
    assert study.config.name == name.removesuffix(".yaml")
    assert study.recipe_at(study.base, 3).seed == 3


ALONE = [name for name in READY if "???" not in (FOLDER / name).read_text()]
LARGE = "backbones.yaml"  # whose backbones are tried one by one elsewhere


def test_what_needs_no_data_runs_alone() -> None:
    assert {"quickstart.yaml", "decoders.yaml", "probe.yaml", LARGE} <= set(ALONE)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == LARGE else ()) for n in ALONE]
)
def test_every_branch_of_what_runs_alone_can_train(name: str) -> None:
    try_branches(prepared_branches(load_study(FOLDER / name)))


def test_the_quick_start_asks_little() -> None:
    study = load_study(FOLDER / "quickstart.yaml")
    assert (study.config.search.trials, study.config.search.repeats) == (12, 3)
    assert study.config.search.scheduler.name == "asha"
    assert study.recipe.data.name == "generated"
    assert study.recipe.to_mapping()["model"]["backbone"]["weights"] == "none"


def test_the_examples_of_the_guide_are_legal(tmp_path: Path) -> None:
    guide = (FOLDER.parent / "docs" / "search_spaces.md").read_text()
    first, conditional, option = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    file = tmp_path / "search.yaml"
    file.write_text(first)
    assert load_study(file).recipe.data.bands == ("B04", "B03", "B02")
    base = "defaults: [recipe, override data: generated_segmentation, _self_]\n"
    file.write_text(base + conditional)
    (decoder,) = load_study(file).space.parameters
    assert decoder.branch("unet").size() == 3 * (2 + 3)
    assert (decoder.branch("linear").size(), decoder.branch("fpn").size()) == (1, 2)
    (tmp_path / "model" / "decoder").mkdir(parents=True)
    (tmp_path / "model" / "decoder" / "unet_searched.yaml").write_text(option)
    file.write_text(base)
    searched = load_study(file, ["model/decoder=unet_searched"]).space.all_keys()
    assert searched == {"model.decoder.channels", "model.decoder.dropout"}


# --- iterate plan -----------------------------------------------------------------------------

SMALL = ["data.samples=[6,6,6]", "data.size=16"]


@pytest.fixture
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def run(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["iterate", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.usefixtures("_cache")
def test_plan_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(FOLDER / "decoders.yaml")
    assert run("plan", file, "--json", "search.trials=5", *SMALL, monkeypatch=monkeypatch) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["name"] == "decoders"
    assert plan["search"]["trials"] == 5
    assert plan["recipe"]["objective"] == {"metric": "miou", "split": "val", "mode": "max"}
    assert plan["points"] is None
    assert plan["space"]["model/decoder"]["unet"]["model.decoder.norm"]["batchnorm"] == {
        "data.batch_size": "choice(8, 16)"
    }
    assert plan["base"]["model/decoder"] == "unet"


@pytest.mark.usefixtures("_cache")
def test_plan_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("plan", str(FOLDER / "decoders.yaml"), *SMALL, monkeypatch=monkeypatch) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    for said in (
        "name: generated",
        "optimiser.lr: tag(log, interval(0.0001, 0.01))",
        "data.batch_size: choice(2, 4, 8)",
        "48 trials by tpe",
        "stopped early by asha",
        "3 repeats",
        "1 CPU, 0 GPU, on this machine",
    ):
        assert said in printed.err


@pytest.mark.usefixtures("_cache")
@pytest.mark.parametrize(
    ("there", "words", "said"),
    [
        (0, [], "1 CPU, 0 GPU, on this machine; it trains on the CPU"),
        (2, [], "1 CPU, 1 GPU, on this machine"),
        (2, ["resources.gpu=2"], "1 CPU, 2 GPU, on this machine"),
        (2, ["trainer.accelerator=cpu"], "1 CPU, 0 GPU, on this machine; it trains on the CPU"),
        (0, ["ray.address=auto"], "1 CPU, a GPU if there is any, on the cluster auto"),
    ],
)
def test_plan_shows_the_gpus_that_a_trial_takes(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    there: int,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(shares, "gpus", lambda: there)
    file = str(FOLDER / "quickstart.yaml")
    assert run("plan", file, *words, *SMALL, monkeypatch=monkeypatch) == 0
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("_cache")
def test_plan_tells_what_a_branch_cannot_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["model/decoder=choice(linear,unet)", *SMALL]
    file = str(FOLDER / "quickstart.yaml")
    assert run("plan", file, *words, monkeypatch=monkeypatch) == 2
    error = capsys.readouterr().err
    assert "'unet' does not serve classification" in error
    assert "Traceback" not in error


def test_plan_of_an_absent_dataset_and_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["data.root=/nowhere", "optimiser.lrr=1", "trainer.epochs=interval(3,1)"]
    assert run("plan", str(FOLDER / "frozen.yaml"), *words, monkeypatch=monkeypatch) == 2
    error = capsys.readouterr().err
    assert "2 things to mend" in error
    assert "Did you mean 'lr'" in error
    assert run("plan", str(FOLDER / "frozen.yaml"), words[0], monkeypatch=monkeypatch) == 2
    assert "/nowhere" in capsys.readouterr().err


def test_plan_imports_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['iterate', 'plan', *sys.argv[1:]]\n"
        "from iterate.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print({'torch', 'optuna', 'ray', 'mlflow', 'lightning'} & set(sys.modules))"
    )
    file = str(FOLDER / "quickstart.yaml")
    done = subprocess.run(
        [sys.executable, "-c", program, file, *SMALL],
        capture_output=True, text=True, check=False,
        env={"ITERATE_CACHE": str(tmp_path), "PATH": "", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.strip() == "set()", done.stderr
