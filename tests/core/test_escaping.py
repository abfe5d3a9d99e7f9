"""Names from elsewhere reach no terminal, table or page as anything but the text that they are."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from door_support import Command, commands
from imports_support import modules

from iterate.bench.suites.suite import load_suite
from iterate.cli.views.console import stderr
from iterate.cli.views.tables import outcome
from iterate.run.session import RunResult
from iterate_core.data.generated.reader import GeneratedData, generate
from iterate_core.engine import resolved
from iterate_core.errors import Problem
from iterate_core.escaping import in_csv, in_html, in_markdown, in_plot, in_terminal, visible
from iterate_core.tasks.per_class import SCORES

# A screen that is cleared, a title that is set, markup, a link, a turned line, a formula.
HOSTILE = "=evil\x1b[2J\x1b]0;x\x07[red]r[/red][link=http://x]\x9b\u202eB\r$x^{$<b>|`"
ESCAPES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> None:
    """The hostile name stands in the text, and nothing of it acts."""
    whole = re.sub(r"\s+", "", text)
    assert ESCAPES.search(text) is None, ESCAPES.search(text)
    assert re.sub(r"\s+", "", visible(HOSTILE)) in whole


@pytest.fixture
def iterate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    return commands(monkeypatch, capsys)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset whose own name, a class and a sample are hostile."""
    folder = tmp_path / "hostile"
    generate(GeneratedData(kind="classification", samples=(8, 4, 4), size=16), folder)
    declared = json.loads((folder / "dataset.json").read_text())
    declared["name"] = HOSTILE
    declared["classes"][0] = HOSTILE
    (folder / "dataset.json").write_text(json.dumps(declared))
    return folder


def recipe(dataset: Path) -> list[str]:
    Path("mine.yaml").write_text(
        "defaults: [recipe, override data: geobench_v1, _self_]\n"
        f"data: {{root: {dataset}}}\ntrainer: {{epochs: 1}}\n"
        "model: {backbone: {name: resnet10t, weights: none}}\n"
    )
    return ["mine.yaml", "--out", "fitted"]


def test_what_commands_say_of_a_dataset(
    iterate: Command, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iterate("data", "show", str(dataset), "--out", "picture.png")
    assert said.code == 0
    shown(said.err)
    words = recipe(dataset)
    said = iterate("plan", "mine.yaml")
    assert said.code == 0, said.err
    assert ESCAPES.search(said.err) is None
    sample = sorted(dataset.glob("train*.hdf5"))[0]
    hostile = sample.with_name(f"{HOSTILE.replace('/', '')}.hdf5")
    hostile.write_bytes(sample.read_bytes()[:100])
    partition = dataset / "default_partition.json"
    partition.write_text(partition.read_text().replace(sample.stem, json.dumps(hostile.stem)[1:-1]))
    monkeypatch.setattr(resolved, "_opened", {})  # as in another process
    said = iterate("fit", *words)
    assert said.code == 2
    assert ESCAPES.search(said.err) is None
    assert "\\x1b[2J" in said.err
    assert "[red]r" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["backbones", "show", HOSTILE],
        ["backbones", "check", HOSTILE],
        ["plan", f"{HOSTILE}.yaml"],
        ["hpo", f"{HOSTILE}.yaml"],
        ["fit", f"{HOSTILE}.yaml"],
        ["test", f"{HOSTILE}.yaml"],
        ["data", "show", HOSTILE],
        ["data", "convert", HOSTILE, "out"],
        ["data", "download", "--suite", HOSTILE],
        ["bench", "--suite", HOSTILE],
        ["bench", "leaderboard", HOSTILE, "--suite", "geobench"],
        ["bench", "submit", HOSTILE],
        ["ui", HOSTILE],
        ["ui", "--uri", f"http://{HOSTILE}"],
        [HOSTILE],
    ],
    ids=lambda words: " ".join(words[:2]).replace(HOSTILE, "NAME"),
)
def test_every_command_shows_a_name_as_text(iterate: Command, words: list[str]) -> None:
    said = iterate(*words)
    assert ESCAPES.search(said.out + said.err) is None
    assert "\\x1b[2J" in said.out + said.err


def test_the_table_of_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    study = {
        "name": HOSTILE, "dataset": HOSTILE, "backbone": HOSTILE, "stopped": None,
        "objective": {"metric": HOSTILE, "mode": "max"},
        "trials": {"complete": 1, "pruned": 0, "failed": 0},
        "best": {"number": 0, "value": 0.5, "params": {HOSTILE: HOSTILE}},
        "repeats": [{"seed": 1, "failure": HOSTILE, "metrics": {}}],
        "test": {HOSTILE: {"mean": 0.5, "low": None, "high": None, "n": 1}}, "failure": HOSTILE,
        "test_classes": [{"name": HOSTILE, "support": 1, **dict.fromkeys(SCORES, 0.5)}],
    }  # fmt: skip
    summary = {"studies": [study], "wall_seconds": 1.0, "train_seconds": 1.0}
    console = stderr()
    console.width = 400
    console.print(outcome(RunResult(summary, tmp_path, {}, None)))
    shown(capsys.readouterr().err)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of a hostile backbone beside a harmless one."""
    file = tmp_path / "results_and_parameters.csv"
    rows = ["dataset,Metric,test metric,Seed,backbone,partition name,frozen_or_full_ft"]
    for name, dataset in load_suite("geobench-2").datasets.items():
        for backbone in (HOSTILE, "resnet50"):
            rows += [
                f'{name},{dataset.metric},0.5{seed},{seed},"{backbone}",100%,full_ft'
                for seed in range(2)
            ]
    file.write_text("\n".join(rows) + "\n", newline="")
    return file


def harmless(cells: Iterable[str]) -> bool:
    return all(cell[:1] not in {"=", "@", "+", "\t"} for cell in cells)


def test_leaderboards_show_a_name_as_text(iterate: Command, results: Path, tmp_path: Path) -> None:
    said = iterate("bench", "leaderboard", str(results), "--suite", "geobench-2", "--out", "board")
    assert said.code == 0, said.err
    assert ESCAPES.search(said.err) is None
    assert "[red]r" in said.err
    for file in sorted(Path("board").iterdir()):
        text = file.read_text()
        assert ESCAPES.search(text) is None
        if file.suffix == ".html":
            assert "<b>|" not in text
        if file.suffix == ".md":
            assert "<b>" not in text
        if file.suffix == ".csv":
            assert all(harmless(row) for row in csv.reader(text.splitlines()))


def test_one_function_a_medium() -> None:
    assert visible("a\x1bb\u202ec\x9bd\ne") == r"a\x1bb\u202ec\x9bd\ne"
    assert visible("naïve 農地 ßø 👩\u200d🌾") == "naïve 農地 ßø 👩\u200d🌾"
    assert visible("\udc80") == r"\udc80"
    assert in_terminal("[red]x[/]") == r"\[red]x\[/]"
    assert in_markdown("<b>a|b`c` [x](y)") == r"&lt;b&gt;a\|b\`c\` \[x\](y)"
    assert [in_csv(cell) for cell in ("=1+1", "-x", " @x", "resnet50", "a-b", -1.5, None)] == [
        "'=1+1", "'-x", "' @x", "resnet50", "a-b", -1.5, None,
    ]  # fmt: skip
    assert in_html("<script>'\"") == "&lt;script&gt;&#x27;&quot;"
    assert in_plot("$x$") == r"\$x\$"
    assert str(Problem("a\x1b", "b\x07")) == r"a\x1b: b\x07"


def test_nothing_else_escapes_markup() -> None:
    others = [
        module
        for module, path in modules().items()
        if re.search(r"from rich.markup import|from html import", path.read_text())
    ]
    assert others == ["iterate_core.escaping"]
