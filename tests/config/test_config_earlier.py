"""What earlier versions wrote: ``model.freeze`` in files, spaces and on the command line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from config_support import keys

from iterate.config.earlier import _tell
from iterate.config.load import LoadedStudy, load_recipe, load_study
from iterate_core.errors import RequestError

BASE = "defaults: [recipe, _self_]\n"
TRUE, FALSE = "model: {freeze: true}\n", "model: {freeze: false}\n"
SEARCHED = "space: {model.freeze: choice(true, false), trainer.epochs: 'range(1, 9)'}\n"
BRANCHED = """
space:
  model.freeze:
    true: {optimiser.lr: 'interval(0.1, 1)'}
    false: {}
"""


def write(folder: Path, text: str, name: str = "old") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def methods(study: LoadedStudy) -> list[str]:
    """The tunings of the base and of every branch."""
    return [recipe.tuning.name for _, recipe in study.branches()]


@pytest.mark.parametrize(
    ("text", "words", "tunings"),
    [
        (TRUE, [], ["frozen"]),
        (FALSE, [], ["full"]),
        (TRUE, ["model.freeze=false"], ["full"]),
        (TRUE, ["tuning=full"], ["full"]),
        (TRUE, ["~model.freeze"], ["full"]),
        (TRUE, ["model.freeze=choice(true,false)"], ["frozen", "frozen", "full"]),
        (TRUE, ["tuning=choice(full,frozen)"], ["frozen", "full", "frozen"]),
        (SEARCHED, [], ["full", "frozen", "full"]),
        (TRUE + SEARCHED, [], ["frozen", "frozen", "full"]),
        (SEARCHED, ["model.freeze=true"], ["frozen"]),
        (SEARCHED, ["tuning=frozen"], ["frozen"]),
        (SEARCHED, ["~space.model.freeze"], ["full"]),
        (BRANCHED, [], ["full", "frozen", "full"]),
        ("model: {space: {freeze: 'choice(false, true)'}}\n", [], ["full", "full", "frozen"]),
    ],
)
def test_it_is_read_as_it_was_meant(
    text: str, words: list[str], tunings: list[str], tmp_path: Path
) -> None:
    assert methods(load_study(write(tmp_path, BASE + text), words)) == tunings


def test_the_space_of_an_option_stays_its_own(tmp_path: Path) -> None:
    file = write(tmp_path, BASE + BRANCHED)
    (tuning,) = load_study(file).space.parameters
    assert [keys(branch) for branch in tuning.branches] == [["optimiser.lr"], []]
    assert keys(load_study(file, ["model.freeze=true"]).space) == ["optimiser.lr"]


def test_a_constant_keeps_what_a_file_below_searches_from_being_searched(tmp_path: Path) -> None:
    write(tmp_path, BASE + SEARCHED, "searching")
    study = load_study(write(tmp_path, "defaults: [searching, _self_]\n" + TRUE))
    assert keys(study.space) == ["trainer.epochs"]
    assert study.recipe.tuning.name == "frozen"


def test_a_recipe_that_builds_on_nothing_is_read_too(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        data: {name: generated}
        model: {backbone: {name: resnet18}, decoder: {name: linear}, freeze: true, frames: mean}
        optimiser: {name: adamw}
        scheduler: {name: cosine}
        """,
    )
    assert load_recipe(file).tuning.name == "frozen"
    assert load_recipe(file, ["tuning=full"]).tuning.name == "full"
    assert load_recipe(file, ["model.freeze=false"]).tuning.name == "full"


def test_how_it_is_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _tell.cache_clear()
    file = write(tmp_path, BASE + TRUE)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            load_study(file, ["model.freeze=choice(true,false)"])
        load_study(write(tmp_path, BASE, "new"), ["tuning=frozen"])
    (told,) = caplog.messages
    assert told.startswith("model.freeze is called tuning now. Read as: ")
    assert "old.yaml: override tuning: frozen, in its defaults; " in told
    assert told.endswith("command line: tuning=choice(frozen,full)")


def test_both_spellings_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"old\.yaml: model\.freeze: says tuning and"):
        load_study(write(tmp_path, BASE + TRUE + "tuning: {name: last_k, k: 1}\n"))


def test_what_leads_to_the_earlier_spelling_is_told_the_new_one(tmp_path: Path) -> None:
    text = BASE + TRUE + "augmentation: {flip: '${model.freeze}'}\n"
    with pytest.raises(RequestError, match=r"no model\.freeze\. .*tuning=frozen"):
        load_study(write(tmp_path, text))


def test_other_spaces_are_read_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _tell.cache_clear()
    split = "space: {augmentation.flip: {true: {optimiser.lr: interval(0.1, 1)}, false: {}}}\n"
    with caplog.at_level(logging.WARNING):
        load_study(write(tmp_path, BASE + split))
    assert caplog.messages == []


@pytest.mark.parametrize(
    "text", ["model: {freeze: 3}\n", "model: {freeze: '${augmentation.flip}'}\n"]
)
def test_what_cannot_be_translated_is_refused_with_the_new_spelling(
    text: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=r"model\.freeze: unknown key\. .*tuning=frozen"):
        load_study(write(tmp_path, BASE + text))
