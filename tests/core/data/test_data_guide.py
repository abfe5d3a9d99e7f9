"""What the guide to one's own data shows is what the readers take."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from convert_support import image
from engine_support import recipe
from folders_support import noise, on_ground

from iterate.config.load import load_study
from iterate_core.data.open import open_dataset
from iterate_core.data.options import DataSection
from iterate_core.recipe import Recipe

GUIDE = Path(__file__).parents[3] / "docs/my_data.md"
HEADER = yaml.safe_load(GUIDE.read_text().split("```yaml\n")[1].split("```")[0])
SHOWN = {
    title: yaml.safe_load(block)["data"]
    for title, block in re.findall(
        r"^## (.+?)\n(?:(?!^## ).)*?```yaml\n(.+?)```", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    )
}


def section(data: dict[str, Any]) -> DataSection:
    return Recipe.parse({**recipe().to_mapping(), "data": data}).data


def test_every_way_is_shown() -> None:
    assert {data["name"] for data in SHOWN.values()} == {
        *("image_folder", "geotiff_folder", "npz"),
        *("torchgeo_nongeo", "torchgeo_geo", "huggingface"),
    }
    assert len(SHOWN) == GUIDE.read_text().count("\n## ")


@pytest.mark.parametrize("title", SHOWN)
def test_what_is_shown_is_legal_and_short(title: str) -> None:
    assert section(SHOWN[title]).name == SHOWN[title]["name"]
    assert len(yaml.safe_dump(SHOWN[title]).splitlines()) <= 24


@pytest.mark.parametrize("title", SHOWN)
def test_what_is_shown_runs_when_pasted_under_the_header(title: str, tmp_path: Path) -> None:
    data = SHOWN[title]
    reader = {"override data": data["name"]}
    pasted = {**HEADER, "defaults": ["recipe", reader, "_self_"], "data": data}
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(pasted))
    study = load_study(tmp_path / "search.yaml")
    assert study.recipe.data == section(data)


def test_rasters_of_rslearn_are_read_by_the_patterns_that_are_shown(tmp_path: Path) -> None:
    """The layout that rslearn documents: windows, of which each has its layers in folders."""
    for number in range(10):
        layers = tmp_path / f"windows/default/window{number}/layers"
        size = 16 + number % 2  # of several sizes
        pixels = noise(4, size, number)
        where = on_ground(number)
        image(layers / "sentinel2/B02_B03_B04_B08/geotiff.tif", pixels, **where)
        mask = (noise(1, size, number) % 2).astype(np.uint8)
        image(layers / "label/label/geotiff.tif", mask, **where)
        (layers / "sentinel2/completed").touch()
        (layers.parent / "metadata.json").write_text("{}")
    found = open_dataset(section({**SHOWN["Raster layers of rslearn"], "root": str(tmp_path)}))
    assert sum(found.info.sizes.values()) == 10
    sample = found.read("default-window4", ["B08"])
    assert sample.image.shape == (1, 64, 64)
    inner = sample.image[0, 24:40, 24:40]
    assert np.array_equal(inner, noise(4, 16, 4)[3])
