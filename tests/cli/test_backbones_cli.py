"""`iterate backbones`, `show` and `check`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from iterate.cli.main import app
from iterate_core.models.backbones.catalogue import cards


def run(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["backbones", *words])
    assert done.exit_code == code, done.stderr
    return done


def test_every_backbone_is_listed_with_what_it_declares() -> None:
    told = json.loads(run("--json").stdout)
    listed = {entry["name"]: entry for entry in told["backbones"]}
    assert listed.keys() == cards().keys()
    largest = {"prithvi_eo_v2_600_tl", "terramind_v1_large", "clay_v1_5", "satmae_large"}
    assert largest <= set(listed)
    assert listed["dofa_base"]["licence"] == "CC-BY-4.0"
    assert listed["dofa_base"]["at_hand"] is None
    assert "resnet50" in told["others"]
    assert "resnet50" not in listed


def test_people_find_backbones_by_a_part_of_the_name() -> None:
    said = run("--find", "terramind").stderr
    assert "terramind_v1_tiny" in said
    assert "prithvi" not in said
    assert "dinov3" in run("--find", "dinov3").stderr


@pytest.mark.parametrize("name", sorted(cards()))
def test_every_card_can_be_shown(name: str) -> None:
    told = json.loads(run("show", name, "--json").stdout)
    assert told["name"] == name
    assert told["takes"] in ("declared", "wavelengths", "any")
    if told["takes"] == "declared":
        assert told["modalities"]
    for modality in told["modalities"]:
        for band in modality["bands"]:
            assert band["common"] or band["wavelength"], (name, band)
            assert band["std"] is None or band["std"] > 0


def test_a_card_tells_people_bands_units_and_file() -> None:
    said = run("show", "prithvi_eo_v2_300").stderr
    assert "arXiv 2412.02732" in said
    assert "ibm-nasa-geospatial/Prithvi-EO-2.0-300M/Prithvi_EO_V2_300M.pt" in said
    assert "NIR_NARROW" in said
    assert "2734" in said


def test_a_model_of_timm_has_a_card_too() -> None:
    told = json.loads(run("show", "resnet18", "--json").stdout)
    assert told["parameters"] == 11_176_512
    assert told["takes"] == "any"


def test_an_unknown_name_gets_the_nearest() -> None:
    said = run("show", "prithvi_eo_v2_30", code=1)
    assert "prithvi_eo_v2_300" in str(said.exception)


def test_check_builds_and_runs() -> None:
    words = ("check", "terramind_v1_tiny", "weights=none", "depth=2", "--size", "32")
    told = json.loads(run(*words, "modalities=[S2L2A, S1GRD]", "--json").stdout)
    assert len(told["bands"]) == 14
    assert told["pooled"] == [1, 192]
    assert [level["shape"] for level in told["maps"]] == [[1, 192, 2, 2]] * 2


def test_check_names_what_is_wrong() -> None:
    done = run("check", "prithvi_eo_v2_tiny_tl", "weigths=none", code=1)
    assert "model.backbone.weigths: unknown key. Did you mean 'weights'" in str(done.exception)
    done = run("check", "terramind_v1_tiny", "weights=none", "modalities=[S2]", code=1)
    assert "there is no modality 'S2'" in str(done.exception)
