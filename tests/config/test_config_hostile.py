"""A search file from elsewhere reads no secret, runs nothing, and takes no memory or hours."""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from config_support import loader_in
from door_support import Command, commands
from hypothesis import given, settings
from hypothesis import strategies as st

from iterate.config.load import load_study
from iterate_core.errors import RequestError
from iterate_core.provenance import environment as provenance

BASE = """
defaults: [recipe, _self_]
data: {samples: [12, 6, 6], size: 16}
model: {backbone: {name: resnet10t, weights: none}}
"""
SECRET = "hunter2-token"


@pytest.fixture
def iterate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_SECRET", SECRET)
    return commands(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("note: ${oc.env:SOME_SECRET}\n", "search.yaml: note"),
        ("tracking: {experiment: 'a ${oc.env:SOME_SECRET}'}\n", "tracking.experiment"),
        ("optimiser: {name: '${oc.env:SOME_SECRET}'}\n", "optimiser.name"),
        # Through a key that may read it, through another resolver, or under another name.
        ("tracking: {uri: '${oc.env:SOME_SECRET}'}\nnote: ${tracking.uri}\n", "note"),
        ("tracking: {uri: '${oc.env:SOME_SECRET}'}\nnote: ${oc.select:tracking.uri}\n", "note"),
        ("note: ${oc.decode:${oc.env:SOME_SECRET}}\n", "note"),
        ("x: oc.env\nnote: '${${x}:SOME_SECRET}'\n", "note"),
        (
            "tracking: {uri: '${oc.env:SOME_SECRET}', experiment: '${oc.select:tracking.uri}'}\n",
            "tracking.experiment",
        ),
        ("bench: {tasks: {segmentation: {note: '${oc.env:SOME_SECRET}'}}}\n", "bench.tasks"),
        ("space: {model.decoder.name: 'choice(\"${oc.env:SOME_SECRET}\")'}\n", "model.decoder"),
    ],
)
def test_the_environment_is_read_for_no_key_that_is_recorded(
    iterate: Command, text: str, where: str
) -> None:
    Path("search.yaml").write_text(BASE + text)
    said = iterate("plan", "search.yaml")
    assert said.code == 2
    assert where in said.line
    assert "environment" in said.line
    assert SECRET not in said.err


def test_a_defaults_list_does_not_read_the_environment(iterate: Command) -> None:
    text = "defaults: [recipe, override optimiser: '${oc.env:SOME_SECRET}', _self_]\n"
    Path("search.yaml").write_text(text)
    said = iterate("plan", "search.yaml")
    assert said.code == 2
    assert SECRET not in said.err


def test_plan_says_which_keys_the_environment_set_and_hides_passwords(
    iterate: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIES", "postgresql://me:hunter2@db:5432/studies")
    Path("search.yaml").write_text(
        BASE + "search: {storage: '${oc.env:STUDIES}'}\ntracking: {uri: '${oc.env:NONE,here}'}\n"
    )
    said = iterate("plan", "search.yaml")
    assert said.code == 0
    assert "search.storage ← $STUDIES" in said.line
    assert "tracking.uri ← $NONE" in said.line
    planned = iterate("plan", "search.yaml", "--json")
    assert json.loads(planned.out)["environment"] == {
        "search.storage": ["STUDIES"],
        "tracking.uri": ["NONE"],
    }
    assert json.loads(planned.out)["search"]["storage"] == "postgresql://me:***@db:5432/studies"
    assert "hunter2" not in said.err + planned.out + planned.err


def test_a_root_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    study = loader_in(tmp_path)(BASE, "data.root=${oc.env:DATA}/here")
    assert study.recipe.to_mapping()["data"]["root"] == f"{tmp_path}/here"


def test_what_a_run_is_made_with_holds_no_password(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        me = ["-c", "user.name=x", "-c", "user.email=x@y"]
        subprocess.run(["git", *me, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "search.yaml").write_text("a: 1\n")
    git("add", ".")
    git("commit", "-m", "x")
    (tmp_path / "search.yaml").write_text("uri: postgresql://me:hunter2@db/x\n")
    found = json.dumps(provenance(tmp_path))
    assert "postgresql://me:***@db/x" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("name", ["os:system", "subprocess:run", "builtins:eval", "math:pi"])
@pytest.mark.parametrize("key", ["model.backbone.name", "model.decoder.name", "data.name"])
def test_code_that_is_no_component_is_refused_and_not_called(
    iterate: Command, key: str, name: str
) -> None:
    Path("search.yaml").write_text(BASE)
    said = iterate("plan", "search.yaml", f"{key}='{name}'")
    assert said.code == 2
    assert f"{key}: '{name}' is no" in said.line


def test_a_function_of_another_signature_is_no_component(iterate: Command) -> None:
    Path("mine.py").write_text("def build(path):\n    raise SystemExit('called')\n")
    Path("search.yaml").write_text(BASE)
    said = iterate("plan", "search.yaml", "model.backbone.name='mine.py:build'")
    assert said.code == 2
    assert "does not take (options, inputs, meta)" in said.line


def _doubling(reference: str) -> str:
    """Each line stands for the one before, twice."""
    lines = [f"n{i}: '{reference.format(i - 1) * 2}'" for i in range(1, 61)]
    return "\n".join(["note: '${n60}'", "n0: lol", *lines, ""])


BOMBS = {
    "aliases": "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
    "an alias of itself": "x: &x [*x]\n",
    "references": _doubling("${{n{}}}"),
    "references by function": _doubling("${{oc.select:n{}}}"),
    "sections": "n0: {a: 1}\n"
    + "".join(f"n{i}: {{p: '${{n{i - 1}}}', q: '${{n{i - 1}}}'}}\n" for i in range(1, 40)),
    "a circle": "a: '${b}${b}'\nb: '${c}${a}'\nc: '${a}${b}'\n",
    "levels": f"note: {'[' * 5000}{']' * 5000}\n",
    "levels of references": f"note: '{'${' * 900}x{'}' * 900}'\n",
    "choices": f"space: {{data.batch_size: 'choice({','.join(map(str, range(60000)))})'}}\n",
    "brackets": f"space: {{data.batch_size: '{'choice(' * 900}1{')' * 900}'}}\n",
    "a grid": "search: {sampler: grid}\nspace: {data.batch_size: 'range(1, 10000000000)'}\n",
    "a searched path": _doubling("${{n{}}}") + "hydra: {searchpath: ['${n60}']}\n",
    "a searched value": _doubling("${{n{}}}")
    + "data: {batch_size: '${n60}'}\nspace: {data.batch_size: 'choice(1, 2)'}\n",
    "length": "note: " + "x" * 600_000 + "\n",
    "many references": "".join(f"n{i}: '${{note}}'\n" for i in range(1000)) + "note: x\n",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_file_that_stands_for_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("search.yaml").write_text("defaults: [recipe, _self_]\n" + BOMBS[kind])
    with pytest.raises(RequestError) as refused:
        load_study(Path("search.yaml"))
    assert all(len(str(problem)) < 500 for problem in refused.value.problems)


def test_a_reference_to_a_section_that_another_file_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(_doubling("${{n{}}}") + "data: '${n60}'\n")
    Path("search.yaml").write_text("defaults: [base, recipe, _self_]\ndata: {batch_size: 3}\n")
    with pytest.raises(RequestError):
        load_study(Path("search.yaml"))


def test_a_file_that_builds_on_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(BASE)  # hides the recipe that ships
    with pytest.raises(RequestError, match="recipe builds on itself"):
        load_study(Path("recipe.yaml"))


def test_references_keep_what_they_meant(tmp_path: Path) -> None:
    study = loader_in(tmp_path)(
        BASE
        + "name: a-${seed}\nseed: 7\nsizes: {small: 16, large: 32}\nsize: small\n"
        + "note: '\\${literal} ${name} ${sizes.${size}} ${oc.decode:\"[1, 2]\"}'\n",
        "~sizes",
        "~size",
        "note='${name} and \\${x}'",
    )
    assert (study.config.name, study.config.note) == ("a-7", "a-7 and ${x}")


_KEYS = st.sampled_from([
    "data", "model", "optimiser", "trainer", "search", "space", "note", "name", "hydra", "bench",
    "lr", "backbone", "batch_size", "x", "y", "1", "null", "model/decoder", "data.batch_size",
])  # fmt: skip
_TEXTS = st.sampled_from([
    "x", "${x}", "${y}", "${data}", "${.x}", "${..x}", "${x}${y}", "${", "${oc.env:HOME}", "???",
    "${oc.select:x}", "${oc.create:{a: '${x}'}}", "${oc.dict.values:data}", "\\${x}", "${n:x}",
    "choice(1, 2)", "interval(0, 1)", "range(1, 5)", "glob(*)", "linear", "mlp", "\x1b[2J",
])  # fmt: skip
_VALUES = st.recursive(
    st.one_of(_TEXTS, st.integers(-2, 64), st.none(), st.booleans(), st.floats()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=5))
def test_any_file_is_a_study_or_a_mistake(content: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "search.yaml"
        file.write_text(yaml.safe_dump({"defaults": ["recipe", "_self_"], **content}))
        with suppress(RequestError):
            load_study(file)
