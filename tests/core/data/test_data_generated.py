"""The generated sets: fixed by their seed, plausible, and neither trivial nor hopeless."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from iterate_core.data.dataset import Reader, Split
from iterate_core.data.generated.reader import GeneratedData, generate, open_generated
from iterate_core.data.generated.spectra import block_mean
from iterate_core.data.open import open_dataset
from iterate_core.errors import RequestError
from iterate_core.registry.parsing import parse

Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def read(reader: Reader, split: Split) -> Arrays:
    bands = [band.name for band in reader.info.bands]
    samples = [reader.read(name, bands) for name in reader.names(split)]
    return (
        np.stack([sample.image for sample in samples]).astype(np.float64),
        np.stack([np.asarray(sample.target) for sample in samples]),
    )


@pytest.mark.parametrize("kind", ["classification", "segmentation", "multilabel"])
def test_one_seed_gives_one_set_of_bytes(tmp_path: Path, kind: Any) -> None:
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        section = GeneratedData(
            kind=kind, samples=(9, 2, 2), size=20, seed=seed, root=tmp_path / folder
        )
        open_dataset(section).names("train")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    sample = "train_00000.hdf5"
    assert (tmp_path / "a" / sample).read_bytes() != (tmp_path / "c" / sample).read_bytes()


def test_it_lies_in_the_cache_under_a_name_of_its_content_and_is_drawn_once(
    tmp_path: Path,
) -> None:
    section = GeneratedData(samples=(2, 1, 1), size=16)
    first = open_generated(section)
    assert not (tmp_path / "cache/generated").exists()  # a plan needs no pixels
    first.names("train")
    (folder,) = (tmp_path / "cache/generated").glob("[!.]*")
    assert folder.name == first.info.name
    stamp = (folder / "train_00000.hdf5").stat().st_mtime_ns
    assert open_generated(section).fingerprint() == first.fingerprint()
    assert open_generated(section).info == first.info
    assert (folder / "train_00000.hdf5").stat().st_mtime_ns == stamp
    other = open_generated(section.model_copy(update={"size": 17}))
    assert other.info.name != first.info.name


def test_a_folder_with_another_dataset_is_refused(tmp_path: Path) -> None:
    section = GeneratedData(samples=(2, 1, 1), size=16, root=tmp_path / "set")
    open_generated(section).names("train")
    with pytest.raises(RequestError, match=r"set: holds 'generated-classification-\w+', not"):
        open_generated(section.model_copy(update={"seed": 1}))


def test_classes_are_separable_by_spectrum_and_texture_but_not_trivially(tmp_path: Path) -> None:
    reader = open_generated(GeneratedData(samples=(240, 80, 80), size=48, root=tmp_path / "set"))
    assert reader.info.sizes == {"train": 240, "val": 80, "test": 80}
    train, labels = read(reader, "train")
    rest = [read(reader, split) for split in ("val", "test")]
    test, expected = (np.concatenate(parts) for parts in zip(*rest, strict=True))

    def score(features: Any) -> float:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
        model.fit(features(train), labels)
        return float(model.score(features(test), expected))

    colour = score(lambda images: images.mean(axis=(2, 3)))
    both = score(_spectrum_and_texture)
    assert 0.35 < colour < 0.75
    assert both > colour + 0.12
    assert 0.75 < both < 0.99


def _spectrum_and_texture(images: Any) -> Any:
    spread = images.std(axis=(2, 3)) + 1
    parts = [images.mean(axis=(2, 3)), spread]
    for lag in (1, 2, 3, 4, 6):
        for step in (
            images[:, :, lag:] - images[:, :, :-lag],
            images[..., lag:] - images[..., :-lag],
        ):
            parts.append(np.abs(step).mean(axis=(2, 3)) / spread)
    nir = images[:, 7] - images[:, 7].mean(axis=(1, 2), keepdims=True)
    power = np.log1p(np.abs(np.fft.rfft2(nir)) ** 2)
    size = images.shape[-1]
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    for low in np.linspace(0, 0.45, 10):
        ring = power[:, (radius >= low) & (radius < low + 0.05)]
        parts += [ring.mean(axis=1, keepdims=True), ring.max(axis=1, keepdims=True)]
    return np.concatenate(parts, axis=1)


def test_scenes_obey_the_physics_of_sentinel_2(tmp_path: Path) -> None:
    reader = open_generated(GeneratedData(samples=(80, 1, 1), size=36, root=tmp_path / "set"))
    assert [band.unit for band in reader.info.bands] == ["dn"] * 13
    images, labels = read(reader, "train")
    common = [str(band.common) for band in reader.info.bands]
    mean = {
        name: dict(zip(common, images[labels == index].mean(axis=(0, 2, 3)), strict=True))
        for index, name in enumerate(reader.info.classes)
    }
    forest, water, bare = mean["broadleaf forest"], mean["water"], mean["bare ground"]
    assert forest["nir"] > 3 * forest["red"]  # the red edge
    assert forest["green"] > forest["red"]
    assert water["blue"] > water["red"] > water["swir_1"]
    assert water["swir_2"] < 0.25 * bare["swir_2"]
    assert bare["red"] > bare["green"] * 0.95
    assert all(found["cirrus"] < 60 for found in mean.values())  # no ground reaches the sensor
    assert all(found["water_vapour"] < found["nir_narrow"] for found in mean.values())
    assert (images >= 1).all()
    assert (images <= 20_000).all()


def test_coarse_bands_repeat_their_native_pixels(tmp_path: Path) -> None:
    section = GeneratedData(samples=(1, 1, 1), size=36, root=tmp_path / "set")
    image = read(open_generated(section), "train")[0][0]
    for band, pixel in ((0, 6), (4, 2), (11, 2)):
        repeated = block_mean(image[band], pixel).repeat(pixel, 0).repeat(pixel, 1)
        np.testing.assert_array_equal(repeated, image[band])
    assert (image[3, ::2] != image[3, 1::2]).any()


def test_mosaics_hold_every_class_and_mix_at_their_borders(tmp_path: Path) -> None:
    section = GeneratedData(kind="segmentation", samples=(30, 1, 1), size=32, root=tmp_path / "set")
    reader = open_generated(section)
    assert reader.info.task == "segmentation"
    images, masks = read(reader, "train")
    share = np.bincount(masks.ravel().astype(int), minlength=len(reader.info.classes)) / masks.size
    assert len(share) == 6
    assert share.min() > 0.03
    nir, water = images[:, 7], masks == reader.info.classes.index("water")
    near_land = np.zeros_like(water)
    for axis in (1, 2):
        for step in (-1, 1):
            near_land |= ~np.roll(water, step, axis)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    shore, open_water = (water & near_land)[inner], (water & ~near_land)[inner]
    assert nir[inner][shore].mean() > 1.5 * nir[inner][open_water].mean()


def test_labels_are_the_covers_of_the_mosaic() -> None:
    options: dict[str, Any] = {"samples": (30, 1, 1), "size": 24}
    images, labels = read(open_generated(GeneratedData(kind="multilabel", **options)), "train")
    same, masks = read(open_generated(GeneratedData(kind="segmentation", **options)), "train")
    np.testing.assert_array_equal(images, same)
    shares = (masks[:, None] == np.arange(6)[None, :, None, None]).mean(axis=(2, 3))
    np.testing.assert_array_equal(labels, shares >= 0.05)
    assert (labels.mean(axis=0) > 0.1).all()
    assert (labels.mean(axis=0) < 0.9).all()


def dated(**options: Any) -> Reader:
    return open_generated(GeneratedData(samples=(24, 2, 2), **options))


@pytest.mark.parametrize(
    "options", [{"kind": "regression"}, {"kind": "segmentation", "frames": 3}, {"frames": 2}]
)
def test_dated_sets_are_drawn_as_they_are_read_and_fixed_by_their_seed(
    options: dict[str, Any], tmp_path: Path
) -> None:
    reader, again, other = dated(**options), dated(**options), dated(seed=1, **options)
    assert reader.info == again.info
    assert reader.fingerprint() == again.fingerprint() != other.fingerprint()
    bands = [band.name for band in reader.info.bands]
    one, same, foreign = (r.read("val_00001", bands) for r in (reader, again, other))
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(np.asarray(one.target), np.asarray(same.target))
    assert (one.dates, one.place) == (same.dates, same.place) != (foreign.dates, foreign.place)
    assert (one.image != foreign.image).any()
    two = reader.read("val_00001", [bands[7], bands[2]]).image
    np.testing.assert_array_equal(two, one.image[[7, 2]])
    assert not (tmp_path / "cache").exists()


def test_leaves_come_and_fall_and_needles_stay() -> None:
    reader = dated(frames=12, size=24)
    samples = [reader.read(name, ["04 - Red", "08 - NIR"]) for name in reader.names("train")]
    covers = reader.info.classes
    index = {}
    for sample in samples:
        assert sample.dates is not None
        days = [day for _, day in sample.dates]
        assert days == sorted(days)
        red, near = sample.image.astype(float)
        green = ((near - red) / (near + red)).mean(axis=(1, 2))
        seasons = {"summer": (150, 260), "winter": (330, 420)}
        wrapped = np.array([day if day > 60 else day + 365 for day in days])
        index[covers[int(sample.target)]] = {
            name: green[(wrapped > low) & (wrapped < high)].mean()
            for name, (low, high) in seasons.items()
        }
    broad, needle, water = (
        index[name] for name in ("broadleaf forest", "coniferous forest", "water")
    )
    assert broad["summer"] - broad["winter"] > 0.3
    assert 0 < needle["summer"] - needle["winter"] < 0.2
    assert water["summer"] < 0


def test_canopy_cover_is_a_share_that_the_bands_tell_in_part() -> None:
    reader = dated(kind="regression", size=32)
    images, cover = read(reader, "train")
    known = ~np.isnan(cover)
    assert reader.info.classes == ("canopy cover in percent",)
    assert 0.02 < 1 - known.mean() < 0.2
    assert np.nanmin(cover) >= 0
    assert np.nanmax(cover) <= 100
    assert 20 < np.nanmean(cover) < 60
    pixels = images.transpose(0, 2, 3, 1)[known]
    model = LinearRegression().fit(pixels, cover[known])
    assert 0.5 < model.score(pixels, cover[known]) < 0.97


def test_what_the_format_cannot_hold_has_no_folder(tmp_path: Path) -> None:
    for options in ({"kind": "regression"}, {"frames": 2}):
        mapping = {"name": "generated", "root": tmp_path / "set", **options}
        with pytest.raises(RequestError, match="drawn as they are read: GeoBench v1's format"):
            parse(GeneratedData, mapping)
        with pytest.raises(RequestError, match="drawn as they are read"):
            generate(GeneratedData(**options), tmp_path / "set")
