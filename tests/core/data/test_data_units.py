"""The unit of converted pixels: as `scale` or ``--unit`` say, and never a guess beside them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import opened
from door_support import Command, commands

from iterate_core.data.convert.convert import LEGAL_UNITS
from iterate_core.data.units import UNITS


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands(monkeypatch, capsys)


def arrays(folder: Path, **more: Any) -> str:
    """A small .npz whose pixels are optical numbers of 16 bits."""
    pixels = np.random.default_rng(0).integers(8000, 30_000, (6, 2, 4, 4), dtype=np.uint16)
    content = {
        "images": pixels,
        "labels": [0, 1, 0, 1, 0, 1],
        "split": [0, 0, 1, 1, 2, 2],
        "band_names": ["red", "nir"],
    }
    np.savez(folder / "x.npz", **content, **more)
    return str(folder / "x.npz")


def units_of(folder: Path) -> set[str]:
    return {band.unit for band in opened(folder).info.bands}


@pytest.mark.parametrize(
    ("scale", "unit"),
    [
        (2.75e-5, "landsat_sr"),
        (np.float32(2e-5), "landsat_toa"),
        (np.float32([1e-4]), "dn"),
        ("reflectance x 10,000", "dn"),
    ],
)
def test_a_scale_names_the_unit(scale: Any, unit: str, run: Command, tmp_path: Path) -> None:
    said = run("data", "convert", arrays(tmp_path, scale=scale), str(tmp_path / "out"))
    assert said.code == 0, said.err
    assert units_of(tmp_path / "out") == {unit}


@pytest.mark.parametrize("scale", [0.5, 1, np.nan, np.inf, "thousandths", [1e-4, 2.75e-5]])
def test_a_scale_that_names_none_is_refused_until_the_unit_is_said(
    scale: Any, run: Command, tmp_path: Path
) -> None:
    source, out = arrays(tmp_path, scale=scale), tmp_path / "out"
    said = run("data", "convert", source, str(out))
    assert said.code == 2
    assert "'scale'" in said.line
    assert "--unit" in said.line
    assert not out.exists()
    assert run("data", "convert", source, str(out), "--unit", "dn").code == 0
    assert units_of(out) == {"dn"}
    assert "unit dn as asked for: the array 'scale' was not read" in opened(out).info.notes


@pytest.mark.parametrize("unit", ["landsat_sr", "landsat_toa", "fraction", "kelvin"])
def test_every_unit_that_converts_can_be_said(unit: str, run: Command, tmp_path: Path) -> None:
    assert {*UNITS, "unknown"} == set(LEGAL_UNITS)
    said = run("data", "convert", arrays(tmp_path), str(tmp_path / "out"), "--unit", unit)
    assert said.code == 0, said.err
    assert units_of(tmp_path / "out") == {unit}


def test_a_unit_that_there_is_not_is_told_with_those_that_there_are(
    run: Command, tmp_path: Path
) -> None:
    said = run("data", "convert", arrays(tmp_path), str(tmp_path / "out"), "--unit", "furlong")
    assert said.code == 2
    assert "landsat_sr" in said.line
