"""COGs and STAC items on a server: only what is needed is fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import Affine
from scenes_support import Server, model, numbers, opened, raster, serving, whole

from iterate_core.errors import DataError
from iterate_core.inference.scenes.addresses import beside, for_gdal, is_item, shown, stem
from iterate_core.inference.scenes.base import SceneOptions
from iterate_core.inference.scenes.open import open_scene, scenes_of

SIZE = 1536
RED, NIR, SWIR = (numbers(1, SIZE, SIZE, seed=seed) for seed in range(3))
COARSE = Affine(20, 0, 500_000, 0, -20, 5_000_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    folder = tmp_path_factory.mktemp("server")
    cog = {"driver": "COG", "compress": "deflate", "blocksize": 256}
    raster(folder / "red.tif", RED, **cog)
    raster(folder / "nir.tif", NIR, **cog)
    half = np.ascontiguousarray(SWIR[:, ::2, ::2])
    raster(folder / "swir.tif", half, transform=COARSE, **cog)
    raster(folder / "named.tif", np.concatenate([RED, NIR]), ("red", "nir"), **cog)
    seen = np.full((3, 64, 64), 9, np.uint8)
    raster(folder / "visual.tif", seen, photometric="RGB")
    with serving(folder) as state:
        yield folder, state


def asset(href: str, **fields: Any) -> dict[str, Any]:
    return {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"], **fields}


def item(folder: Path, name: str, assets: dict[str, Any], **properties: Any) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    document = {
        "type": "Feature", "stac_version": "1.0.0", "id": "one", "assets": assets,
        "properties": {"datetime": "2020-07-11T10:30:31Z", "platform": "sentinel-2b"} | properties,
    }  # fmt: skip
    path.write_text(json.dumps(document))
    return path


ASSETS = {
    "thumbnail": {"href": "thumb.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
    "visual": asset(
        "./visual.tif",
        roles=["visual"],
        **{"eo:bands": [{"name": n} for n in ("B04", "B03", "B02")]},
    ),
    "B04": asset(
        "./red.tif",
        **{
            "eo:bands": [{"name": "B04", "common_name": "red"}],
            "raster:bands": [{"scale": 1e-4, "offset": -0.1, "nodata": 0}],
        },
    ),
    "B08": asset("./nir.tif", **{"eo:bands": [{"name": "B08", "common_name": "nir"}]}),
    "B11": asset("./swir.tif", gsd=20, **{"eo:bands": [{"name": "B11", "common_name": "swir16"}]}),
    "metadata": {"href": "meta.xml", "type": "application/xml", "roles": ["metadata"]},
}


def test_a_window_of_a_cog_takes_part_of_its_bytes(server: tuple[Path, Server]) -> None:
    folder, state = server
    state.requests.clear()
    state.served = 0
    found = opened(f"{state.address}/named.tif", model(("nir", "red"), "dn"))
    piece = found.read(700, 800, 64, 64)
    assert np.array_equal(piece.pixels[0], NIR[0, 700:764, 800:864])
    assert np.array_equal(piece.pixels[1], RED[0, 700:764, 800:864])
    assert piece.valid.all()
    assert state.served < (folder / "named.tif").stat().st_size / 2
    assert {path for _, path, _ in state.requests} == {"/named.tif"}
    assert all(wanted for method, _, wanted in state.requests if method == "GET")


def test_a_file_that_is_not_there_names_its_address_without_its_key(
    server: tuple[Path, Server],
) -> None:
    _, state = server
    with pytest.raises(DataError) as raised:
        opened(f"{state.address}/absent.tif?key=secret", model(("red",)))
    assert raised.value.problems[0].where == f"{state.address}/absent.tif"
    assert "secret" not in str(raised.value)


def test_a_file_that_changes_on_its_server_has_another_fingerprint(
    server: tuple[Path, Server],
) -> None:
    folder, state = server
    raster(folder / "other.tif", numbers(1, 64, 64), ("red",))
    found = opened(f"{state.address}/other.tif?key=1", model(("red",)))
    assert (
        opened(f"{state.address}/other.tif?key=2", model(("red",))).fingerprint()
        == found.fingerprint()
    )
    before = found.fingerprint()
    raster(folder / "other.tif", numbers(1, 64, 65), ("red",))
    assert found.fingerprint() != before


def test_a_server_that_is_busy_is_asked_again(
    server: tuple[Path, Server], caplog: pytest.LogCaptureFixture
) -> None:
    folder, state = server
    raster(folder / "busy.tif", numbers(1, 64, 64), ("red",))
    state.busy = 1
    found = opened(f"{state.address}/busy.tif?key=secret", model(("red",)))
    assert np.array_equal(whole(found)[0], numbers(1, 64, 64))
    assert f"503 - {state.address}/busy.tif. Retrying" in caplog.text
    assert "secret" not in caplog.text


def check_item(path: str | Path) -> None:
    described = model(("swir_1", "nir", "red"), "dn", sensor="sentinel-2-l2a", dates=True)
    found = opened(path, described)
    assert (found.height, found.width) == (SIZE, SIZE)
    piece = found.read(100, 200, 32, 32)
    assert np.array_equal(piece.pixels[1], NIR[0, 100:132, 200:232])
    assert piece.pixels[2] == pytest.approx(RED[0, 100:132, 200:232] - 1000.0, abs=0.01)
    context = found.context(0, 0, 9, 9)
    assert context is not None
    assert context.dates is not None
    assert context.dates.tolist() == [[[2020, 193]]]
    assert any("swir.tif is on another grid" in note for note in found.notes)


def test_an_item_on_a_server(server: tuple[Path, Server]) -> None:
    folder, state = server
    item(folder, "item.json", ASSETS)
    check_item(f"{state.address}/item.json")


def test_an_item_on_this_machine(server: tuple[Path, Server]) -> None:
    check_item(item(server[0], "local.json", ASSETS))


def test_an_item_of_version_1_1(server: tuple[Path, Server]) -> None:
    folder, _ = server
    newer = {
        "red": asset(
            "red.tif",
            bands=[{"name": "B04", "eo:common_name": "red"}],
            **{"raster:scale": 1e-4, "raster:offset": -0.1, "nodata": 0},
        ),
        "nir": asset("nir.tif", bands=[{"name": "B08", "eo:common_name": "nir"}]),
        "swir16": asset("swir.tif", gsd=20, bands=[{"name": "B11"}]),
    }
    check_item(item(folder, "newer.json", newer))


def test_an_offset_that_was_applied_is_not_applied_again(server: tuple[Path, Server]) -> None:
    path = item(server[0], "e.json", ASSETS, **{"earthsearch:boa_offset_applied": True})
    found = opened(path, model(("red",), "dn", sensor="sentinel-2-l2a"))
    assert np.array_equal(found.read(0, 0, 9, 9).pixels[0], RED[0, :9, :9])


def test_what_is_for_the_eye_is_taken_last(server: tuple[Path, Server]) -> None:
    found = opened(
        item(server[0], "b.json", ASSETS), model(("green",), "uint8", sensor="sentinel-2")
    )
    assert (found.read(0, 0, 9, 9).pixels == 9).all()


def test_an_item_without_the_band(server: tuple[Path, Server]) -> None:
    path = item(server[0], "c.json", ASSETS)
    with pytest.raises(DataError, match=r"no asset with the band VV.*assets' bands: B02"):
        opened(path, model(("VV",), "db"))
    described = model(("VV", "red", "VH"), ("db", "dn", "db"), sensor="sentinel-2")
    with pytest.raises(DataError, match=r"c\.json: has no asset with the bands VV, VH, which"):
        opened(path, described)
    listed = server[0] / "scenes.csv"
    listed.write_text("scene,file\none,c.json\none,nir.tif\n")
    (request,) = scenes_of([], described, SceneOptions(table=listed, bands=("nir",)))
    with pytest.raises(DataError, match=r"scenes\.csv, scene one: has no bands 'VV', 'VH'"):
        open_scene(request, described)


def test_an_items_damaged_asset_is_told_with_the_item(server: tuple[Path, Server]) -> None:
    assets = {"B04": asset("gone.tif", **{"eo:bands": [{"name": "red"}]})}
    path = item(server[0], "gone.json", assets)
    with pytest.raises(DataError, match=r"gone\.json: .*/gone\.tif: there is no such file"):
        opened(path, model(("red",)))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (5, "asset 'B04': is 5, not an object"),
        ({"href": 5}, "asset 'B04': its href is 5, not an address"),
        ({"eo:bands": "x"}, "its eo:bands is 'x', not a list of objects"),
        ({"bands": ["B04"]}, "its bands is .'B04'., not a list of objects"),
        ({"raster:bands": {"scale": 2}}, "its raster:bands is .*, not a list"),
        ({"raster:bands": [{"scale": "a"}]}, "its scale is 'a', not a number"),
        ({"raster:offset": float("inf")}, "its raster:offset is inf, not a finite number"),
        ({"raster:scale": 10**400}, "its raster:scale is 1000.*, not a finite number"),
        ({"roles": 5}, "its roles is 5, not a list of words"),
    ],
)
def test_an_asset_that_is_malformed_stops_its_item_alone(
    server: tuple[Path, Server], fields: Any, told: str
) -> None:
    wrong = {**asset("./red.tif"), **fields} if isinstance(fields, dict) else fields
    path = item(server[0], "wrong.json", {**ASSETS, "B04": wrong})
    with pytest.raises(DataError, match=rf"wrong\.json: .*{told}"):
        opened(path, model(("red",), "dn", sensor="sentinel-2-l2a"))


def test_a_server_of_whole_files_alone(server: tuple[Path, Server]) -> None:
    _, state = server
    state.ranges = False
    try:
        with pytest.raises(DataError, match=r"named\.tif: .*no ranges of them\. Download it first"):
            opened(f"{state.address}/named.tif?whole=1", model(("red",)))
    finally:
        state.ranges = True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not valid JSON"),
        ('{"type": "Catalog"}', "is no STAC item"),
        ('{"type": "Collection", "assets": {}}', "is a Collection, not a STAC item"),
        ('{"type": "Feature", "assets": {}, "properties": 5}', "its properties are no object"),
    ],
)
def test_documents_that_are_no_items(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=told):
        opened(tmp_path / "a.json", model(("red",)))


def test_items_that_cannot_be_had(server: tuple[Path, Server]) -> None:
    _, state = server
    for address, told in (
        (f"{state.address}/none.json?key=secret", "none.json: the server answers 404"),
        ("http://127.0.0.1:1/items/one", "items/one: cannot be reached"),
        ("s3://bucket/one.json", "items are read from http"),
    ):
        with pytest.raises(DataError, match=told) as raised:
            opened(address, model(("red",)))
        assert "secret" not in str(raised.value)


def test_addresses() -> None:
    assert for_gdal("https://x.org/a.tif?k=1") == "/vsicurl/https://x.org/a.tif?k=1"
    assert for_gdal("s3://bucket/a.tif") == "/vsis3/bucket/a.tif"
    assert for_gdal("gs://bucket/a.tif") == "/vsigs/bucket/a.tif"
    assert for_gdal("a.tif") == "a.tif"
    assert shown("https://me:word@x.org/a.tif?sig=k") == "https://me:***@x.org/a.tif"
    assert stem("https://x.org/b/a.b.tif?k=1") == "a.b"
    assert is_item("https://x.org/collections/s2/items/S2A_T32")
    assert not is_item("https://x.org/items/a/b.tif")
    assert beside("https://x.org/b/i.json?k=1", "./a.tif") == "https://x.org/b/a.tif"
    assert beside("s3://bucket/b/i.json", "./a.tif") == "s3://bucket/b/a.tif"
    assert beside("b/i.json", "a.tif") == "b/a.tif"
    assert beside("b/i.json", "s3://bucket/a.tif") == "s3://bucket/a.tif"
