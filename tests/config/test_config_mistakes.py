"""Every mistake in a search file gives one clear message, and several are shown together."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from iterate.config.load import load_study
from iterate_core.errors import RequestError

Fail = Callable[..., list[str]]


@pytest.fixture
def fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Loads a file that must be refused; returns its problems, a line each."""
    monkeypatch.chdir(tmp_path)

    def loader(text: str | bytes, *overrides: str, **files: str) -> list[str]:
        for name, content in files.items():
            path = tmp_path / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content))
        content = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        (tmp_path / "search.yaml").write_bytes(content)
        with pytest.raises(RequestError) as caught:
            load_study(Path("search.yaml"), overrides)
        assert caught.value.exit_code == 2
        assert caught.value.__cause__ is None
        return [str(problem) for problem in caught.value.problems]

    return loader


BASE = "defaults: [recipe, _self_]\n"


def space(line: str) -> str:
    return f"{BASE}space:\n  {line}\n"


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ("[0.0]", "aspect_ratios.0: input should be greater than 0, but got 0.0."),
        ("[]", "aspect_ratios: tuple should have at least 1 item after validation, not 0, but "),
    ],
)
def test_a_wrong_item_is_not_told_as_a_missing_one_too(fail: Fail, ratios: str, said: str) -> None:
    problems = fail(BASE + f"model: {{decoder: {{name: retinanet, aspect_ratios: {ratios}}}}}")
    (told,) = (problem for problem in problems if "decoder.aspect_ratios" in problem)
    assert f"search.yaml: model.decoder.{said}" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # The schema, with the place in the file.
        (BASE + "traner: {}", "search.yaml: traner: unknown key. Did you mean 'trainer'?"),
        (
            BASE + "optimiser: {lrr: 1}",
            "search.yaml: optimiser.lrr: unknown key. Did you mean 'lr'?",
        ),
        (BASE + "search: {trails: 3}", "search.yaml: search.trails: unknown key. Did you mean 'tr"),
        (
            BASE + "trainer: {epochs: many}",
            "search.yaml: trainer.epochs: input should be a valid integer, unable to parse "
            "string as an integer, but got 'many'.",
        ),
        (
            BASE + "resources: {cpu: 0}",
            "search.yaml: resources.cpu: input should be greater than 0, but got 0.",
        ),
        (BASE + "name: a/b", "search.yaml: name: may hold letters, digits, '.', '_' and '-'"),
        (BASE + "model: {backbone: {name: resnet5o}}", "there is no backbone 'resnet5o'. Did you"),
        (BASE + "model: {decoder: {name: unett}}", "no decoder 'unett'. Did you mean 'unet' or"),
        (BASE + "data: {name: geobench_v3}", "there is no dataset reader 'geobench_v3'. Did you"),
        (BASE + "search: {sampler: tpee}", "there is no sampler 'tpee'. Did you mean 'tpe'?"),
        (
            BASE + "search: {scheduler: {name: ahsa}}",
            "there is no trial scheduler 'ahsa'. Did you mean 'asha'?",
        ),
        (
            BASE + "search: {scheduler: {name: asha, min_epoch: 1}}",
            "search.scheduler.min_epoch: unknown key. Did you mean 'min_epochs'?",
        ),
        (BASE + "trainer:\n  patience: ???", "search.yaml: trainer.patience: is required."),
        # Composition.
        ("defaults: [recipe, override model/decoder: unett, _self_]",
         "search.yaml: defaults: the config group model/decoder has no option 'unett'. Did you"),
        ("defaults: [recipe, override model/dekoder: unet, _self_]",
         "model/dekoder is overridden, but no file chooses it. Did you mean 'model/decoder'"),
        ("defaults: [recipe, model/dekoder: unet, _self_]",
         "there is no config group 'model/dekoder'. Did you mean 'model/decoder'"),
        ("defaults: [recipee, _self_]", "search.yaml: defaults: there is no file recipee.yaml"),
        ("defaults: [recipe, _self_, _self_]", "search.yaml: defaults: Duplicate _self_ defined"),
        ("defaults: {a: b}", "search.yaml: Invalid defaults list"),
        (BASE + "trainer: {patience: '${trainer.epoch}'}",
         "search.yaml: trainer.patience: '${trainer.epoch}' leads nowhere"),
        (BASE + "trainer: {patience: '${trainer.patience}'}", "search.yaml: trainer.patience"),
        # YAML itself.
        ("a: [1, 2", "search.yaml, line 1, column 9: this is no valid YAML: expected ',' or ']'"),
        ("a: 1\na: 2", "search.yaml, line 2, column 1: this is no valid YAML: found duplicate key"),
        ("a:\n\tb: 1", "search.yaml, line 2, column 1: this is no valid YAML"),
        ("- a\n- b", "search.yaml: must hold key: value pairs."),
        (b"a: \xff", "search.yaml: is no UTF-8 text"),
        (space("augmentation.flip: {null: {}}"), "write null in quotes"),
        # The space.
        (space("optimiser.lr: interval(3, 1)"),
         "search.yaml: space.optimiser.lr: interval(3, 1): `low <= high` must hold"),
        (space("optimiser.lr: tag(log, interval(0, 1))"), "a log range needs `low > 0`"),
        (space("optimiser.lr: intervall(0, 1)"), "Did you mean 'interval'?"),
        (space("optimiser.lr: interval(0.1, 1"), "does not fit the grammar"),
        (space("optimiser.lr: 0.1"), "space.optimiser.lr: a dimension is text, but got 0.1."),
        (space("optimiser.lr: fast"), "'fast' is no search dimension. Write choice(…)"),
        (space("data.batch_size: [8, 16]"), "Write choice(8, 16)."),
        (space("optimiser.lrr: interval(0.1, 1)"),
         "search.yaml: space.optimiser.lrr: unknown key. (searched over, 0.55 here) Did you mean"),
        (space("optimiser.lr: interval(0, 1)"),
         "search.yaml: space.optimiser.lr: input should be greater than 0, but got 0.0."),
        (space("optimiser.lr: interval(-1, 1)"), "input should be greater than 0, but got -1.0."),
        (space("data.batch_size: choice(8, 16, many)"), "but got 'many'."),
        (space("trainer.epochs: interval(1, 3.5)"),
         "got 2.25. Whole numbers are written int(interval(…)) or range(…)."),
        (space("trainer.precision: choice(32-true, 64-true)"), "but got '64-true'."),
        (space("data.bands: choice([B02], B03)"), "but got 'B03'."),
        (space("search.trials: choice(1, 2)"), "'search' is no searched section."),
        (space("objective.metric: choice(accuracy, f1)"), "'objective' is no searched section."),
        (space("optimizer.lr: interval(0.1, 1)"),
         "'optimizer' is no searched section. Did you mean 'optimiser'?"),
        (space("model/decoder: choice(linear, unett)"),
         "space.model/decoder: the config group model/decoder has no option 'unett'. Did you"),
        (space("model/decoder: interval(0, 1)"), "a config group needs a choice of attentive_maps"),
        (space("model/dekoder: choice(linear, mlp)"), "there is no config group 'model/dekoder'."),
        (space("model.decoder: choice(linear, mlp)"), "is a config group. Write model/decoder."),
        (space("model/backbone: choice(resnet18, resnet101)"),
         "Write model.backbone.name=resnet101: it needs no file of its own."),
        (space("model/decoder: {linear: {channels: 3}}"), "space.model/decoder.linear.channels"),
        (space("augmentation.flip: {true: 3, false: {}}"), "Write {} for none."),
        (space("augmentation.flip: {}"), "space.augmentation.flip: has no options."),
        (space("'optimiser lr': interval(0, 1)"), "'optimiser lr' is no key of a recipe."),
        (BASE + "space: 3", "search.yaml: space: must map keys to sweeps, but got 3."),
        (BASE + "search: {sampler: grid}\nspace: {optimiser.lr: 'interval(1, 2)'}",
         "search.yaml: space.optimiser.lr: a grid cannot search interval(1.0, 2.0)."),
    ],
)  # fmt: skip
def test_one_mistake_one_message(fail: Fail, text: str | bytes, said: str) -> None:
    (problem,) = fail(text)
    assert said in problem


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("foo=1", "command line: foo: unknown key."),
        ("optimiser.lrr=1", "command line: optimiser.lrr: unknown key. Did you mean 'lr'?"),
        ("trainer.epochs=many", "command line: trainer.epochs: input should be a valid integer"),
        ("optimiser.lr=choice(1", "command line: 'optimiser.lr=choice(1' does not fit the grammar"),
        ("optimiser.lr", "command line: 'optimiser.lr' does not fit the grammar"),
        ("=1", "has no key. Write key=value."),
        ("optimiser.lr=interval(3, 1)", "command line: optimiser.lr=interval(3, 1)"),
        ("optimiser.lr=interval(0, 1)", "command line: optimiser.lr=interval(0, 1): input should"),
        ("data.bands=[B02,choice(B03,B04)]", "holds a sweep inside a value."),
        ("model/decoder=unett", "model/decoder has no option 'unett'. Did you mean 'unet' or"),
        ("augmentation=strong", "has no option 'strong'. Legal here: dihedral, geometric,"),
        ("model/dekoder=unet", "no config group 'model/dekoder'. Did you mean 'model/decoder'"),
        ("model/decoder=3", "must name an option of model/decoder, but got 3."),
        ("space.optimiser.lr=interval(1, 2)", "Write optimiser.lr=<sweep>"),
        ("~space.optimiser.lr", "command line: ~space.optimiser.lr: the space has no such key."),
        ("~trainer.nothing", "command line: ~trainer.nothing: there is no such key to delete."),
        ("~trainer.epochs=3", None),
        ("trainer.patience=${nowhere}", "command line: trainer.patience: '${nowhere}' leads nowh"),
        ("optimiser.lr.x=1", "command line: optimiser.lr"),
        ("model/decoder@other=unet", "a group's package cannot be changed here."),
    ],
)
def test_words_that_mean_nothing(fail: Fail, word: str, said: str | None, tmp_path: Path) -> None:
    if said is None:
        (tmp_path / "search.yaml").write_text(BASE)
        assert load_study(tmp_path / "search.yaml", [word]).recipe.trainer.epochs == 20
        return
    (problem,) = fail(BASE, word)
    assert said in problem


def test_several_mistakes_are_shown_together(fail: Fail) -> None:
    problems = fail(
        """
        defaults: [recipe, override data: geobench_v1, _self_]
        name: my search
        optimiser: {lr: fast, weight_decy: 0}
        model: {backbone: {name: resnet19}}
        trainer: {patience: "${trainer.epoch}"}
        data:
          root: ???
        space:
          data.batch_size: interval(8, 4)
          trainer.epochs: range(1, 9)
          scheduler.floor: interval(0, 2)
          modle.frames: choice(true, false)
          model/decoder: choice(linear, mpl)
        """,
        "augmentation.flop=true",
        "resources.cpu=interval(1",
    )
    for said in (
        "name: may hold letters",
        "optimiser.lr: input should be a valid number",
        "optimiser.weight_decy: unknown key. Did you mean 'weight_decay'",
        "there is no backbone 'resnet19'",
        "trainer.patience: '${trainer.epoch}' leads nowhere",
        "data.root: is required.",
        "space.data.batch_size: interval(8, 4): `low <= high` must hold",
        "space.scheduler.floor: input should be less than 1, but got",
        "'modle' is no searched section. Did you mean 'model'",
        "has no option 'mpl'. Did you mean 'mlp'",
        "command line: augmentation.flop: unknown key. Did you mean 'flip'",
        "command line: 'resources.cpu=interval(1' does not fit the grammar",
    ):
        assert [problem for problem in problems if said in problem], said
    assert len(problems) == 12


def test_a_branch_that_does_not_fit_is_named(fail: Fail) -> None:
    problems = fail("""
        defaults: [recipe, _self_]
        space:
          model.decoder.channels: choice(16, 32)
          model/decoder: choice(fpn, linear)
    """)
    assert len(problems) == 2
    multiple, unknown = problems
    assert "multiple of 32, but got 16. [with model/decoder=fpn]" in multiple
    assert "model.decoder.channels: unknown key" in unknown
    assert "[with model/decoder=linear]" in unknown


def test_a_key_searched_twice_is_refused(fail: Fail) -> None:
    (problem,) = fail("""
        defaults: [recipe, _self_]
        space:
          optimiser.lr: interval(1, 2)
          augmentation.flip: {true: {optimiser.lr: "interval(3, 4)"}, false: {}}
    """)
    assert "optimiser.lr is searched already, under every option" in problem
    (problem,) = fail("""
        defaults: [recipe, _self_]
        space:
          augmentation.rotate: {true: {optimiser.lr: "interval(1, 2)"}, false: {}}
          augmentation.flip: {true: {optimiser.lr: "interval(3, 4)"}, false: {}}
    """)
    assert "optimiser.lr would be set twice at one point" in problem


def test_the_broken_file_is_named(fail: Fail) -> None:
    option = {"optimiser__mine": "name: adamw\nlr: [1"}
    (problem,) = fail(BASE, "optimiser=mine", **option)
    assert problem.startswith("optimiser/mine.yaml, line 2")
    problems = fail(BASE, "optimiser=mine", optimiser__mine="{name: adamw, lr: 0, momentum: 1}")
    assert problems == [
        "optimiser/mine.yaml: optimiser.lr: input should be greater than 0, but got 0.",
        "optimiser/mine.yaml: optimiser.momentum: unknown key. Legal here: "
        "backbone_lr_scale, beta1, beta2, lr, name, weight_decay.",
    ]


def test_files_that_cannot_be_the_one(tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_text(BASE)
    (tmp_path / "recipe.yml").write_text("{}")
    for name, said in [
        ("serch.yaml", "there is no such file. Did you mean 'search.yaml'?"),
        ("recipe.yml", "must end in .yaml."),
        ("none/search.yaml", "there is no such file."),
        ("", "is a folder; name a YAML file."),
    ]:
        with pytest.raises(RequestError) as caught:
            load_study(tmp_path / name)
        assert said in str(caught.value)
