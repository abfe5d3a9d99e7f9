"""Real files into foundation models: each channel holds the band and unit its model declares.

Expected values are worked out here from the raw HDF5 arrays and the published statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from engine_support import merged

from iterate_core.engine.build import shared_backbone
from iterate_core.engine.order import pixel_supply
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe

Find = Callable[[str], Path]
BRICK_KILN = "geobench_v1/ccb-test-classification/brick_kiln_v1.0"
CHESAPEAKE = "geobench_v1/ccb-test-segmentation/cvpr_chesapeake_landcover"
ROW, COLUMN = 17, 41

# What the files of m-brick-kiln call the band that each of these is (ServiceNow/geo-bench, issue
# 29): they hold B1 to B5, B7, B8A, B8, B11 and B12 under the names of the first ten.
KILN = {
    "B01": "01 - Coastal aerosol",
    "B02": "02 - Blue",
    "B03": "03 - Green",
    "B04": "04 - Red",
    "B05": "05 - Vegetation Red Edge",
    "B07": "06 - Vegetation Red Edge",
    "B8A": "07 - Vegetation Red Edge",
    "B08": "08 - NIR",
    "B11": "08A - Vegetation Red Edge",
    "B12": "09 - Water vapour",
}


def prepared(find: Find, dataset: str, backbone: dict[str, Any], **data: Any) -> Prepared:
    dense = dataset == CHESAPEAKE
    section = {"name": "geobench_v1", "root": str(find(dataset)), "normalisation": "backbone"}
    mapping = {
        "data": merged(section, data),
        "model": {
            "backbone": {"weights": "none", **backbone},
            "decoder": {"name": "fpn" if dense else "linear"},
        },
        "optimiser": {"name": "adamw"},
        "scheduler": {"name": "constant"},
    }
    return prepare(Recipe.parse(mapping))


def pixel(given: Prepared) -> list[float]:
    """The channels of one pixel of the first training sample, as the backbone receives them."""
    backbone = shared_backbone(given, meta=True)
    supply = pixel_supply(given, "train", torch.device("cpu"), 0)
    (batch,) = supply.batches([np.array([0])], None)
    with torch.device("meta"):
        backbone(torch.empty(batch.inputs.shape))  # and it takes them
    values: list[float] = batch.inputs[0, :, ROW, COLUMN].tolist()
    return values


def stored(find: Find, given: Prepared, dataset: str, names: Sequence[str]) -> list[float]:
    """The same pixel of some bands, as the file holds it."""
    with h5py.File(find(dataset) / f"{given.pack.names('train')[0]}.hdf5") as file:
        return [float(file[name][ROW, COLUMN]) for name in names]


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def scaled(values: Sequence[float], mean: str, std: str) -> list[float]:
    return [(x - m) / s for x, m, s in zip(values, numbers(mean), numbers(std), strict=True)]


def test_prithvi_takes_six_bands_of_brick_kiln(shared_data: Find) -> None:
    given = prepared(shared_data, BRICK_KILN, {"name": "prithvi_eo_v2_tiny_tl", "depth": 1})
    bands = [KILN[name] for name in ("B02", "B03", "B04", "B8A", "B11", "B12")]
    raw = stored(shared_data, given, BRICK_KILN, bands)
    expected = scaled(raw, "1087 1342 1433 2734 1958 1363", "2248 2179 2178 1850 1242 1049")
    assert pixel(given) == pytest.approx(expected, abs=1e-5)
    (note,) = given.matching.notes
    assert note.startswith("not used: '01 - Coastal aerosol' (coastal)")
    assert "'08 - NIR' (nir)" in note


def test_clay_takes_what_it_has_statistics_of(shared_data: Find) -> None:
    names = ("B02", "B03", "B04", "B05", "B07", "B08", "B8A", "B11", "B12")
    given = prepared(
        shared_data, BRICK_KILN, {"name": "clay_v1_5", "depth": 1}, bands=list(reversed(names))
    )
    raw = stored(shared_data, given, BRICK_KILN, [KILN[name] for name in names])
    expected = scaled(
        raw,
        "1105 1355 1552 1887 2630 2743 2785 2388 1835",
        "1809 1757 1888 1870 1697 1742 1648 1470 1379",
    )
    assert pixel(given) == pytest.approx(expected[::-1], abs=1e-5)
    wavelengths = [band.wavelength for band in given.bands]
    assert wavelengths == [2.19, 1.61, 0.865, 0.842, 0.783, 0.705, 0.665, 0.56, 0.49]
    assert given.inputs.metres == 10.0
    with pytest.raises(RequestError, match="01 - Coastal aerosol"):
        pixel(prepared(shared_data, BRICK_KILN, {"name": "clay_v1_5", "depth": 1}))


def test_dofa_takes_any_band_of_known_wavelength(shared_data: Find) -> None:
    given = prepared(shared_data, BRICK_KILN, {"name": "dofa_small", "depth": 1})
    assert [band.wavelength for band in given.bands] == [
        *(0.443, 0.49, 0.56, 0.665, 0.705, 0.783, 0.865, 0.842, 1.61, 2.19)
    ]
    assert given.matching.notes == ("not used: 'TCI_R', 'TCI_G', 'TCI_B'",)
    with pytest.raises(RequestError, match=r"does not declare how its training images.*dataset"):
        pixel(given)
    raw = prepared(
        shared_data, BRICK_KILN, {"name": "dofa_small", "depth": 1}, normalisation="none"
    )
    assert pixel(raw) == stored(shared_data, raw, BRICK_KILN, list(KILN.values()))


def test_terramind_names_what_is_missing_and_fills_it_as_asked(shared_data: Find) -> None:
    chosen = {"name": "terramind_v1_tiny", "depth": 1, "modalities": ["S2L2A"]}
    with pytest.raises(RequestError, match=r"lacks 'RED_EDGE_2'.*'WATER_VAPOR'.*zero or nearest"):
        prepared(shared_data, BRICK_KILN, chosen)
    given = prepared(shared_data, BRICK_KILN, {**chosen, "missing": "zero"})
    order = ("B01", "B02", "B03", "B04", "B05", None, "B07", "B08", "B8A", None, "B11", "B12")
    raw = stored(shared_data, given, BRICK_KILN, [KILN[name] for name in order if name])
    mean = "1390.458 1503.317 1718.197 1853.91 2199.1 2987.011 3083.234 3132.22 2424.884 1857.648"
    std = (
        "2106.761 2141.107 2038.973 2134.138 2085.321 1820.257 1871.918 1753.829 1434.261 1334.311"
    )
    values = iter(scaled(raw, mean, std))
    expected = [next(values) if name else 0.0 for name in order]
    assert pixel(given) == pytest.approx(expected, abs=1e-5)
    nearest = prepared(shared_data, BRICK_KILN, {**chosen, "missing": "nearest"})
    (seven,) = stored(shared_data, given, BRICK_KILN, [KILN["B05"]])
    # 0.740 µm lies nearest to 0.705 (B05), 0.945 to 0.865 (B8A).
    assert pixel(nearest)[5] == pytest.approx((seven - 2779.975) / 1889.926, abs=1e-5)
    assert any("'WATER_VAPOR' (water_vapour) takes the nearest band" in note
               for note in nearest.matching.notes)  # fmt: skip


def test_a_dataset_of_ten_bands_does_not_quietly_become_one_of_three(shared_data: Find) -> None:
    """Red, green and blue would be complete, but then seven bands would be lost."""
    with pytest.raises(RequestError) as caught:
        prepared(shared_data, BRICK_KILN, {"name": "terramind_v1_tiny", "depth": 1})
    assert "takes S2L2A, of which the dataset lacks 'RED_EDGE_2'" in str(caught.value)
    assert "model.backbone.modalities: RGB would be complete." in str(caught.value)
    given = prepared(
        shared_data,
        BRICK_KILN,
        {"name": "terramind_v1_tiny", "depth": 1},
        bands=["B02", "B04", "B03"],
    )
    assert given.inputs.modalities == (("RGB", 3),)
    raw = stored(shared_data, given, BRICK_KILN, [KILN[name] for name in ("B04", "B03", "B02")])
    shown = [min(255 * value / 3558, 255) for value in raw]
    expected = scaled(shown, "87.271 80.931 66.667", "58.767 47.663 42.631")
    assert pixel(given) == pytest.approx(expected, abs=1e-5)


def test_satmae_takes_8_bit_steps(shared_data: Find) -> None:
    given = prepared(
        shared_data, BRICK_KILN, {"name": "satmae_base", "depth": 1, "missing": "zero"}
    )
    names = ("B02", "B03", "B04", "B05", "B07", "B08", "B8A", "B11", "B12")
    raw = stored(shared_data, given, BRICK_KILN, [KILN[name] for name in names])
    mean = numbers("1184.38 1120.77 1136.26 1263.74 1846.87 1762.60 1972.62 1732.16 1247.92")
    std = numbers("650.28 712.13 965.23 948.98 1258.36 1233.15 1364.39 1310.37 1087.60")
    expected = [
        math.floor(min(max((x - (m - 2 * s)) / (4 * s) * 255, 0), 255)) / 255
        for x, m, s in zip(raw, mean, std, strict=True)
    ]
    expected.insert(4, 0.0)  # B06
    assert pixel(given) == pytest.approx(expected, abs=1e-6)


def test_satlas_takes_true_colour_and_reflectance(shared_data: Find) -> None:
    """Its first three bands are of 8 bits, the others of 8160 steps; all are cut off at 1."""
    chosen = {"name": "satlas_swint_sentinel2_si_ms", "missing": "nearest"}
    given = prepared(shared_data, BRICK_KILN, chosen)
    names = ("B04", "B03", "B02", "B05", "B05", "B07", "B08", "B11", "B12")  # B06 is absent
    raw = stored(shared_data, given, BRICK_KILN, [KILN[name] for name in names])
    shown = [min(value / 3558, 1) for value in raw[:3]]
    expected = shown + [min(value / 8160, 1) for value in raw[3:]]
    assert pixel(given) == pytest.approx(expected, abs=1e-6)
    assert max(shown) > 0.05  # as reflectance × 10,000 over 255 every pixel would be cut off


def test_decur_takes_reflectance(shared_data: Find) -> None:
    chosen = {"name": "decur_resnet50_sentinel2", "missing": "zero"}
    given = prepared(shared_data, BRICK_KILN, chosen)
    order = (
        *("B01", "B02", "B03", "B04", "B05", None, "B07", "B08", "B8A", None, None, "B11", "B12"),
    )
    raw = stored(shared_data, given, BRICK_KILN, [KILN[name] for name in order if name])
    values = iter(raw)
    expected = [next(values) / 10_000 if name else 0.0 for name in order]
    assert pixel(given) == pytest.approx(expected, abs=1e-7)


def test_chesapeake_goes_where_red_green_and_blue_suffice(shared_data: Find) -> None:
    """Aerial images in [0, 1] are 8-bit numbers over 255."""
    clay = prepared(shared_data, CHESAPEAKE, {"name": "clay_v1", "depth": 1})
    bands = ["Red", "Green", "Blue", "NearInfrared"]
    raw = [255 * x for x in stored(shared_data, clay, CHESAPEAKE, bands)]
    expected = scaled(raw, "110.16 115.41 98.15 139.04", "47.23 39.82 35.43 49.86")
    assert pixel(clay) == pytest.approx(expected, abs=1e-5)
    assert clay.inputs.modalities == (("naip", 4),)
    terramind = prepared(shared_data, CHESAPEAKE, {"name": "terramind_v1_tiny", "depth": 1})
    expected = scaled(raw[:3], "87.271 80.931 66.667", "58.767 47.663 42.631")
    assert pixel(terramind) == pytest.approx(expected, abs=1e-5)
    assert terramind.inputs.modalities == (("RGB", 3),)
    assert terramind.matching.notes == ("not used: 'NearInfrared' (nir)",)


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("prithvi_eo_v2_tiny_tl", "'NIR_NARROW'.*'SWIR_1'.*'SWIR_2'"),
        ("satmae_base", "'B05'.*'B11'.*'B12'"),
        ("decur_resnet50_sentinel2", "'B01'.*'B11'.*'B12'"),
        ("satlas_swint_sentinel2_si_ms", "'B05'.*'B11'.*'B12'"),
        ("croma_base", "'B01'.*'B11'.*'B12'"),
    ],
)
def test_chesapeake_is_refused_where_it_cannot_serve(
    shared_data: Find, name: str, lacking: str
) -> None:
    with pytest.raises(RequestError, match=rf"model\.backbone\.missing.*lacks {lacking}"):
        prepared(shared_data, CHESAPEAKE, {"name": name})


def test_chesapeake_goes_into_models_of_aerial_images(shared_data: Find) -> None:
    given = prepared(shared_data, CHESAPEAKE, {"name": "satlas_swinb_aerial_si"})
    raw = stored(shared_data, given, CHESAPEAKE, ["Red", "Green", "Blue"])
    assert pixel(given) == pytest.approx(raw, abs=1e-6)


def test_8_bit_brightness_is_no_reflectance(shared_data: Find) -> None:
    """Filling what is missing does not help: 8-bit images do not become reflectance."""
    given = prepared(
        shared_data, CHESAPEAKE, {"name": "satmae_base", "depth": 1, "missing": "nearest"}
    )
    with pytest.raises(RequestError, match=r"'Blue' is fraction and not dn.*data\.units"):
        pixel(given)


def test_further_bands_get_seeded_random_weights(shared_data: Find) -> None:
    chosen = {"name": "prithvi_eo_v2_tiny_tl", "depth": 1, "extra": "random"}
    bands = ["B02", "B03", "B04", "B8A", "B11", "B12", "B05"]
    given = prepared(shared_data, BRICK_KILN, chosen, bands=bands, normalisation="dataset")
    assert given.inputs.modalities == (("HLS", 7),)
    (note,) = given.matching.notes
    assert "random weights, drawn from the recipe's seed: '05 - Vegetation Red Edge'" in note
    assert shared_backbone(given, meta=True).encoder.patch_embed.proj.weight.shape[1] == 7  # type: ignore[union-attr]
    with pytest.raises(RequestError, match=r"model\.backbone\.extra.*no channel for '05"):
        prepared(shared_data, BRICK_KILN, {**chosen, "extra": "refuse"}, bands=bands)
