"""Values that YAML's parser, or Python, stumbles over: a sentence that names the file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from iterate.bench.runs.backbones import contestants
from iterate.bench.suites.suite import load_suite
from iterate.cli.backbones import app
from iterate.config.load import load_recipe
from iterate.config.yaml_files import check_numbers, read_yaml
from iterate_core.errors import RequestError

NINES = "9" * 5000
STRANGE = {
    '!!int ""': "does not fit its tag",
    '!!float ""': "does not fit its tag",
    "!!bool x": "does not fit its tag",
    "!!timestamp x": "does not fit its tag",
    NINES: "an integer of thousands of digits",
    f"0x{'f' * 6000}": "an integer of some 7200 digits",
    "9" * 400: "an integer of some 398 digits",
}


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: value[:8])
@pytest.mark.parametrize("line", ["seed: {}", "trainer: {{epochs: {}}}", "x: [1, {{a: {}}}]"])
def test_a_value_no_field_takes_is_told_with_its_file(
    value: str, line: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"defaults: [recipe]\n{line.format(value)}\n")
    with pytest.raises(RequestError, match=rf"mine\.yaml: .*{STRANGE[value]}"):
        load_recipe(file)
    with pytest.raises(RequestError, match=rf"mine\.yaml: .*{STRANGE[value]}"):
        load_suite(str(file))
    with pytest.raises(RequestError, match=rf"mine\.yaml: .*{STRANGE[value]}"):
        contestants([str(file)], {}, "--backbones")


@pytest.mark.parametrize("word", [f"seed={NINES}", f"trainer.epochs=choice(1,{NINES})"])
def test_a_word_with_a_number_without_end_is_told_in_short(word: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("defaults: [recipe]\n")
    command = [sys.executable, "-m", "iterate", "plan", "mine.yaml", word]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 1000


def test_an_option_of_a_backbone_too() -> None:
    with pytest.raises(RequestError, match=r"command line: .*does not fit its tag"):
        CliRunner().invoke(app, ["check", "resnet18", 'width=!!int ""'], catch_exceptions=False)


def test_aliases_are_looked_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    check_numbers(yaml.safe_load("\n".join(lines)))
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(RequestError, match="aliases written out"):
        read_yaml(tmp_path / "bomb.yaml")
