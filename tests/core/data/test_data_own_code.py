"""Code that a recipe names by its path: of the right kind or refused uncalled; told by its line."""

from pathlib import Path

import pytest
from door_support import Command, commands

from iterate_core.errors import RequestError
from iterate_core.registry import registries
from iterate_core.registry.user_code import own_entry, own_object

READER = """
from iterate_core.data.dataset import DatasetInfo, Sample
import numpy as np

class Mine:
    def __init__(self, section):
        self.info = DatasetInfo(
            name="mine", task="classification", classes=("a", "b"), bands=(),
            sizes={"train": 1, "val": 1, "test": 1}, height=4, width=4,
        )

    def names(self, split):
        return ["one"]

    def read(self, name, bands):
        return Sample(name, np.zeros((0, 4, 4)), 0)

    def fingerprint(self):
        return "0" * 16
"""


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    return commands(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("datasets", "numpy:zeros"),
        ("datasets", "iterate_core.data.convert.images:read_image"),
        ("backbones", "numpy:zeros"),
        ("backbones", "torch:load"),
        ("backbones", "torch.nn:Linear"),
        ("backbones", "timm:create_model"),
        ("decoders", "torch.nn:Bilinear"),
    ],
)
def test_what_takes_other_things_is_refused_uncalled(kind: str, name: str) -> None:
    registry = getattr(registries, kind)
    with pytest.raises(RequestError, match=f"{name.split(':')[1]}' is no {registry.kind}: it "):
        own_entry(registry, name, "model")


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("self.info =", "{}['bands']; self.info =", 7, "KeyError: 'bands', while {} is opened"),
        ('return ["one"]', 'raise SystemExit(3)', 13, "SystemExit: 3, while {} lists the train"),
        ("return Sample", "[][1]; return Sample", 16, "IndexError: list index out of range, "
         "while {} reads sample 'one'"),
    ],
)  # fmt: skip
def test_what_a_reader_raises_is_told_with_its_line(
    old: str, new: str, line: int, told: str, run: Command, tmp_path: Path
) -> None:
    code = READER.replace(old, new)
    assert code != READER
    assert next(n for n, text in enumerate(code.splitlines(), 1) if new in text) == line
    (tmp_path / "mine.py").write_text(code)
    said = run("data", "show", ".", "--dataset", "mine.py:Mine")
    assert said.code == 2
    assert f"mine.py, line {line}: {told.format('mine.py:Mine')}" in said.line


def test_a_reader_that_gives_no_sample_is_refused(run: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(READER.replace("return Sample", "return name; Sample"))
    said = run("data", "show", ".", "--dataset", "mine.py:Mine")
    assert said.code == 2
    assert "read() of mine.py:Mine gives str, not Sample" in said.line


def test_code_that_ends_the_command_is_told(run: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit(3)\n")
    said = run("data", "show", ".", "--dataset", "mine.py:Mine")
    assert said.code == 2
    assert "mine.py cannot be imported (SystemExit: 3)" in said.line


def test_options_that_are_none_are_refused(run: Command, tmp_path: Path) -> None:
    code = READER.replace("    def __init__", "    options = 3\n\n    def __init__", 1)
    (tmp_path / "mine.py").write_text(code)
    said = run("data", "show", ".", "--dataset", "mine.py:Mine")
    assert said.code == 2
    assert "has options that are no class of options" in said.line


def test_what_a_file_imports_is_not_offered_for_a_name_that_it_lacks(tmp_path: Path) -> None:
    code = "import json\nfrom abc import ABC, abstractmethod\nfrom pathlib import Path\n"
    code += "class Base(ABC):\n    @abstractmethod\n    def read(self): ...\n"
    code += "class Mine(Base):\n    def read(self): ...\nLIMIT = 3\n"
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(RequestError, match=r"mine\.py has no 'Nope'\. Legal here: Mine\.$"):
        own_object(f"{tmp_path}/mine.py:Nope", "data.dataset")
