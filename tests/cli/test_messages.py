"""Messages say what is wrong, all of it, and where what was meant is to be found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from door_support import Command, commands
from engine_support import recipe
from PIL import Image

from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.engine.complete import complete
from iterate_core.errors import RequestError
from iterate_core.registry import registries

SEARCH = """
defaults: [recipe, _self_]
data: {samples: [12, 6, 6], size: 16}
model: {backbone: {name: resnet10t, weights: none}}
"""


@pytest.fixture
def iterate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    Path("search.yaml").write_text(SEARCH)
    return commands(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("zeal=1", "zeal: unknown key. Legal here: augmentation, bench, data, loss, model,"),
        ("lr=0.1", "lr: unknown key. Did you mean 'optimiser.lr'?"),
        ("model.epochs=3", "model.epochs: unknown key. Did you mean 'trainer.epochs'?"),
        ("model.zeal=1", "model.zeal: unknown key. Legal here: backbone, decoder, fr"),
        ("optimizer.lr=0.1", "optimizer: unknown key. Did you mean 'optimiser'?"),
    ],
)
def test_an_unknown_key_is_told_with_what_is_legal(
    iterate: Command, word: str, expected: str
) -> None:
    said = iterate("plan", "search.yaml", word)
    assert said.code == 2
    assert expected in said.line
    assert "things to mend" not in said.line


def test_a_decoder_of_another_task_is_named_with_the_options_it_does_not_take(
    iterate: Command,
) -> None:
    segmentation = "defaults: [recipe, override data: generated_segmentation, _self_]"
    text = SEARCH.replace("defaults: [recipe, _self_]", segmentation)
    Path("search.yaml").write_text(text.replace("none}}", "none}, decoder: {channels: 8}}"))
    said = iterate("plan", "search.yaml", "model/decoder=attentive_pool")
    assert said.code == 2
    assert "things to mend" in said.line
    assert "model.decoder.channels: unknown key" in said.line
    expected = "decoder 'attentive_pool' does not serve segmentation. These do: attentive_maps"
    assert expected in said.line


def test_a_task_that_nothing_trains() -> None:
    info = DatasetInfo(
        "boats", "tracking", ("boat",), (Band("red"),), {"train": 1, "val": 1, "test": 1}, 8, 8
    )
    with pytest.raises(RequestError) as refused:
        complete(recipe(), info)
    assert [str(problem) for problem in refused.value.problems] == [
        "data.name: the dataset's task is tracking, which no engine here trains. "
        f"Trained are {', '.join(sorted(registries.tasks.names()))}."
    ]


LIGHTNING = """
seed_everything: 0
trainer: {max_epochs: 5}
data:
  class_path: my.DataModule
  init_args: {batch_size: 4}
model:
  class_path: terratorch.tasks.ClassificationTask
  init_args:
    lr: 1e-4
    model_args:
      backbone: some_backbone
"""
ITERATE = """
experiment_name: x
defaults:
  trainer_args: {max_epochs: 2}
  terratorch_task:
    model_args:
      backbone: some_backbone
tasks:
  - name: one
    metric: val/x
n_trials: 7
"""


@pytest.mark.parametrize("command", ["plan", "hpo", "fit"])
@pytest.mark.parametrize(
    ("text", "kind", "named"),
    [
        (LIGHTNING, "TerraTorch (LightningCLI)", "lr: 1e-4 is optimiser.lr"),
        (LIGHTNING + "x: !custom 3\n", "TerraTorch (LightningCLI)", "some_backbone is model.back"),
        (ITERATE, "terratorch-iterate", "n_trials: 7 is search.trials"),
    ],
)
def test_files_of_other_tools_are_recognised(
    iterate: Command, command: str, text: str, kind: str, named: str
) -> None:
    Path("theirs.yaml").write_text(text)
    said = iterate(command, "theirs.yaml")
    assert said.code == 2
    assert f"theirs.yaml: is a file of {kind}" in said.line
    assert named in said.line
    assert "terratorch/NAME" in said.line


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["hpoo"], "'iterate hpo'"),
        (["convert"], "'iterate data convert'"),
        (["data", "shw"], "'iterate data show'"),
        (["bench", "leaderbord", "x.csv"], "'iterate bench leaderboard'"),
        (["search.yaml"], "'iterate hpo search.yaml'"),
        (
            ["xyzzy"],
            "There are: backbones, bench, cache, data, export, fit, hpo, plan, predict, report, "
            "test, ui.",
        ),
    ],
)
def test_an_unknown_command_points_to_the_nearest(
    iterate: Command, words: list[str], nearest: str
) -> None:
    said = iterate(*words)
    assert said.code == 2
    assert nearest in said.line.replace("│ │ ", "")


def image(path: Path, height: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, 8, 3), 7, np.uint8)).save(path)


CONVERT = ["data", "convert", "images", "out", "--bands", "red,green,blue"]


def test_an_empty_split_tells_which_class_is_too_small(iterate: Command) -> None:
    for name in ("one/a", "many/b", "many/c"):
        image(Path(f"images/{name}.png"))
    said = iterate(*CONVERT)
    assert said.code == 2
    assert "3 samples, of which none falls to" in said.line
    assert "'one' has 1, 'many' has 2" in said.line


def test_a_class_that_a_split_lacks_is_noted(iterate: Command) -> None:
    image(Path("images/one/a.png"))
    for index in range(9):
        image(Path(f"images/many/b{index}.png"))
    said = iterate(*CONVERT)
    assert said.code == 0
    assert "class 'one' has 1 sample:" in said.line


def test_a_size_of_its_own_names_the_file(iterate: Command) -> None:
    for index in range(6):
        image(Path(f"images/x/b{index}.png"), height=9 if index == 3 else 8)
    said = iterate(*CONVERT)
    assert said.code == 2
    assert "images/x/b3.png, sample b3: is uint8 (3, 9, 8)" in said.line


def test_a_plan_in_which_nothing_varies_asks_for_one_trial(iterate: Command) -> None:
    said = iterate("plan", "search.yaml", "search.trials=8", "search.repeats=3")
    assert said.code == 0, said.err
    assert "nothing varies: one trial; then 3 repeats of it" in said.line
    words = ["search.trials=8", "optimiser.lr=choice(0.1, 0.2)", "search.repeats=1"]
    told = iterate("plan", "search.yaml", *words).line
    assert "8 trials by tpe" in told
    assert "then 1 repeat of the best" in told
    made = iterate("plan", "search.yaml", "search.trials=8", "--json")
    assert json.loads(made.out)["search"]["trials"] == 1


def test_a_pipe_is_no_search_file_and_is_not_waited_for(iterate: Command) -> None:
    Path("search.yaml").unlink()
    os.mkfifo("search.yaml")
    said = iterate("plan", "search.yaml")
    assert said.code == 2
    assert "is a pipe, socket or device, not a file" in said.line
