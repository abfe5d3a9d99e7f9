"""Samples from an .npz file: `images`, and `labels`, `masks` or `targets`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.naming import renamed, usable
from iterate_core.data.convert.quantities import (
    are_quantities,
    in_columns,
    quantity_names,
)
from iterate_core.data.convert.refinement import finer_maps
from iterate_core.data.convert.source import (
    SPLIT_WORDS,
    UNSAID,
    Wanted,
    check_ignore_option,
    check_ignored,
    class_names,
    present_labels,
    rarest_present,
    shortened,
    task_for,
)
from iterate_core.data.dataset import Split
from iterate_core.data.draws import quantity_strata
from iterate_core.data.npz import load_arrays
from iterate_core.data.target import Form
from iterate_core.data.units import UNITS, unit_of_scale
from iterate_core.errors import DataError, Problem, nearest

_TARGETS = ("labels", "masks", "targets")
_READ = {"images", *_TARGETS, "split", "split_names", "class_names", "band_names",
         "ignore_index", "nodata", "names", "files", "scale"}  # fmt: skip
# Where targets of a form stand, if not under `labels`.
_NAMED: dict[Form, str] = {"mask": "masks", "maps": "targets"}
# What targets of so many axes are, that of the samples included.
_FORMS: dict[int, Form] = {1: "index", 2: "indicators", 3: "mask"}
# Statistics that the writer computes anew.
_RECOMPUTED = {"train_mean", "train_std"}


class ArraySource:
    """See `iterate_core.data.convert.source.SampleSource`.

    Raises:
        DataError: The file is damaged, or its arrays are absent or do not fit each other.
    """

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.where = str(path)
        self._arrays = load_arrays(path)
        self._wanted = wanted
        self.ignore_index = self._ignore_index()
        self.form, self.task, self._targets = self._choose_targets()
        check_ignore_option(wanted, self.form)
        self._images = self._channels_first(self._need("images"))
        self.finer = self._lay_out_maps()
        if len(self._images) != len(self._targets) or not len(self._images):
            what = f"has {len(self._images)} images, but {len(self._targets)} targets."
            raise DataError(Problem(self.where, what))
        self.classes = self._classes()
        self.band_names = self._band_names()
        self.unit = self._unit()
        self._renamed: tuple[str, ...] = ()
        self.names, self.aliases = self._sample_names()
        self.splits = self._splits()
        self.strata = self._strata()
        self.notes = self._notes()

    def read(self, index: int) -> tuple[npt.NDArray[Any], Any]:
        """Image (bands, height, width) and target of one sample."""
        target = self._targets[index]
        return self._images[index], int(target) if self.form == "index" else target

    def origin(self, index: int) -> str:
        """The file, and the sample's place in it."""
        return f"{self.where}[{index}]"

    def _need(self, name: str) -> npt.NDArray[Any]:
        if name not in self._arrays:
            hint = nearest(name, self._arrays) or f"It holds {shortened(list(self._arrays))}."
            raise DataError(Problem(self.where, f"has no array {name!r}.", hint))
        return self._arrays[name]

    def nodata(self, index: int) -> float | None:  # noqa: ARG002 - as every source has it
        """What the array `nodata` says, for every image alike."""
        return self._number("nodata")

    def _ignore_index(self) -> int:
        if self._wanted.ignore_index is not None:
            return self._wanted.ignore_index
        found = self._number("ignore_index")
        return UNSAID if found is None else int(found)

    def _says_ignored(self) -> bool:
        return self._wanted.ignore_index is not None or "ignore_index" in self._arrays

    def _number(self, name: str) -> float | None:
        """The one number of an array; None where there is no such array.

        Raises:
            DataError: It holds anything else.
        """
        found = self._arrays.get(name)
        if found is None:
            return None
        if found.size != 1 or found.dtype.kind not in "iuf":
            what = f"{name!r} must be one number, but is {found.dtype} {found.shape}."
            raise DataError(Problem(self.where, what))
        return float(found.item())

    def _choose_targets(self) -> tuple[Form, str, npt.NDArray[Any]]:
        there = [name for name in _TARGETS if name in self._arrays]
        if len(there) > 1 and self._wanted.task is None and self._wanted.labelled:
            what = f"holds {' and '.join(there)}."
            raise DataError(Problem(self.where, what, "Choose with --task."))
        if not there and not self._wanted.labelled:
            return "index", "classification", np.zeros(len(self._need("images")), np.int64)
        if not there:
            hint = f"It holds {shortened(list(self._arrays))}."
            what = "has no array 'labels', 'masks' or 'targets'."
            raise DataError(Problem(self.where, what, hint))
        name = there[0] if len(there) == 1 else _NAMED.get(self._wanted.form or "index", "labels")
        targets = self._need(name)
        if name == "targets":
            return "maps", task_for(self._wanted, "maps", "'targets' are maps", self.where), targets
        if name == "labels" and are_quantities(self._wanted, targets):
            task = task_for(self._wanted, "quantities", "'labels' are numbers", self.where)
            return "quantities", task, in_columns(targets, self.where)
        form = _FORMS.get(targets.ndim)
        if form is None or (form == "mask") != (name == "masks"):
            raise DataError(Problem(self.where, f"{name!r} has the shape {targets.shape}."))
        task = task_for(self._wanted, form, f"{name!r} of shape {targets.shape} is", self.where)
        if targets.dtype.kind == "U" and form == "index":
            targets = self._indices(targets)
        if targets.dtype.kind not in "uib":
            what = f"{name!r} must hold whole numbers, but is {targets.dtype}."
            accept = "Are they quantities, say --task scalar_regression."
            raise DataError(Problem(self.where, what, accept if name == "labels" else None))
        return form, task, targets.astype(np.uint8) if targets.dtype.kind == "b" else targets

    def _indices(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Text labels as indices into the class names, or into the sorted labels."""
        declared = self._wanted.classes or self._texts("class_names") or sorted(set(labels))
        unknown = sorted(set(labels) - set(declared))
        if unknown:
            what = f"'labels' holds {shortened(unknown)}, which no class is called."
            raise DataError(Problem(self.where, what))
        self._arrays["class_names"] = np.array(declared)
        return np.array([list(declared).index(label) for label in labels], dtype=np.int64)

    def _channels_first(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if images.ndim == 3:
            images = images[:, None]
        if images.ndim != 4 or images.dtype.kind not in "uif":
            what = "'images' must be (samples, bands, height, width) numbers, but is "
            raise DataError(Problem(self.where, f"{what}{images.dtype} {images.shape}."))
        last = self._is_channels_last(images.shape)
        return np.moveaxis(images, -1, 1) if last else images

    def _lay_out_maps(self) -> int:
        """Bring targets on a finer grid into the order of axes of the images; how much finer."""
        if self.form != "maps":
            return 1
        last = self._need("images").ndim == 4 and self._is_channels_last(self._need("images").shape)
        self._targets = finer_maps(
            self._targets, self._images, channels_last=last, where=self.where
        )
        return int(self._targets.shape[2] // self._images.shape[2])

    def _is_channels_last(self, shape: tuple[int, ...]) -> bool:
        """By the request, the masks' size, the number of bands, or the one short axis."""
        if self._wanted.layout is not None:
            return self._wanted.layout == "channels-last"
        first, last = True, True
        if self.form == "mask":
            size = self._targets.shape[1:]
            first, last = shape[2:] == size, shape[1:3] == size
        bands = self._wanted.bands or self._texts("band_names")
        if first == last and bands:
            first, last = shape[1] == len(bands), shape[3] == len(bands)
        if first == last:
            first, last = shape[1] < min(shape[2:]), shape[3] < min(shape[1:3])
        if first == last:
            what = f"'images' of shape {shape} does not show which axis holds the bands."
            hint = "Say with --layout channels-first or channels-last."
            raise DataError(Problem(self.where, what, hint))
        return last

    def _classes(self) -> tuple[str, ...]:
        declared = self._texts("class_names")
        if self.form in ("quantities", "maps"):
            named = self._wanted.classes or declared
            return quantity_names(self.where, named, self._targets.shape[1])
        if self.form == "indicators":
            present = set(range(self._targets.shape[1]))
        else:
            ignored = self.ignore_index if self.form == "mask" else None
            present = present_labels(self._targets, ignored, self.where)
        if self.form == "mask" and not self._says_ignored():
            check_ignored(self.where, present, bool((self._targets == UNSAID).any()))
        return class_names(self.where, self._wanted.classes, declared, present, self.form)

    def _band_names(self) -> tuple[str, ...] | None:
        names = self._texts("band_names")
        if names is None and self._images.dtype == np.uint8 and self._images.shape[1] == 3:
            return ("red", "green", "blue")
        return names

    def _unit(self) -> str | None:
        """What the array `scale` says; the request has the last word, so then it is not asked.

        Raises:
            DataError: It says something that fixes no unit.
        """
        scale = self._arrays.get("scale")
        if scale is None or self._wanted.unit is not None:
            return None
        hint = "Say the unit of the pixels with --unit; then 'scale' is not read."
        if scale.size != 1:
            what = f"'scale' must be one number, but is {scale.dtype} {scale.shape}."
            raise DataError(Problem(self.where, what, hint))
        said = scale.item()
        if scale.dtype.kind in "iuf":
            unit = unit_of_scale(float(said))
        else:
            text = str(said).lower().replace(",", "")
            unit = "dn" if "reflectance" in text and "10000" in text else None
        if unit is None:
            what = f"'scale' is {said!r}, which is the factor to reflectance of no known unit."
            known = ("dn", "landsat_sr", "landsat_toa")
            factors = f"Known: {', '.join(f'{UNITS[name].gain:g} ({name})' for name in known)}."
            raise DataError(Problem(self.where, what, f"{factors} {hint}"))
        return unit

    def _sample_names(self) -> tuple[list[str], list[set[str]]]:
        """The stems of `names` or `files` where they are distinct, else running numbers."""
        count = len(self._images)
        numbers = [f"sample_{index:06d}" for index in range(count)]
        given = self._texts("names") or self._texts("files")
        if given is None or len(given) != count:
            return numbers, [{number, str(index)} for index, number in enumerate(numbers)]
        stems = [Path(name).stem for name in given]
        names = usable(stems) or numbers
        self._renamed = renamed(stems, names)
        return names, [{name, text} for name, text in zip(names, given, strict=True)]

    def _splits(self) -> list[Split] | None:
        asked = self._wanted.split
        key = asked if asked in self._arrays else "split"
        return self._split_of(key) if key in self._arrays else None

    def _other_splits(self) -> list[str]:
        """The arrays that split the samples too, by their names and contents."""
        found = []
        for key in self._arrays:
            if "split" not in key or key in ("split", "split_names", self._wanted.split):
                continue
            with contextlib.suppress(DataError):
                self._split_of(key)
                found.append(key)
        return found

    def _split_of(self, key: str) -> list[Split]:
        values = self._arrays[key]
        if values.shape != (len(self._images),):
            what = (
                f"{key!r} has the shape {values.shape}, but there are {len(self._images)} images."
            )
            raise DataError(Problem(self.where, what))
        meaning = self._texts("split_names")
        words = [str(value) for value in values.tolist()]
        if (
            meaning
            and values.dtype.kind in "iu"
            and 0 <= values.min() <= values.max() < len(meaning)
        ):
            words = [meaning[value] for value in values]
        unknown = sorted({word for word in words if word.lower() not in SPLIT_WORDS})
        if unknown:
            what = f"{key!r} holds {shortened(unknown)}."
            raise DataError(Problem(self.where, what, "Legal: 0 train, 1 val, 2 test."))
        return [SPLIT_WORDS[word.lower()] for word in words]

    def _strata(self) -> list[int]:
        if self.form == "index":
            return [int(label) for label in self._targets]
        if self.form == "quantities":
            return quantity_strata(self._targets[:, 0])
        if self.form == "maps":
            return [0] * len(self._targets)
        labels = range(len(self.classes))
        if self.form == "indicators":
            return rarest_present(self._targets > 0)
        present = np.array([[(mask == label).any() for label in labels] for mask in self._targets])
        return rarest_present(present)

    def _texts(self, name: str) -> tuple[str, ...] | None:
        found = self._arrays.get(name)
        if found is None or found.ndim != 1:
            return None
        return tuple(str(text) for text in found.tolist())

    def _notes(self) -> tuple[str, ...]:
        notes = [*self._renamed]
        if self._texts("band_names") is None and self._wanted.bands is None and self.band_names:
            notes.append("bands taken as red, green, blue: three 8-bit bands without names")
        others = self._other_splits()
        if others:
            notes.append(f"the file holds other splits: --split {' or --split '.join(others)}")
        used = _READ | _RECOMPUTED | {self._wanted.split, *others}
        left = [name for name in self._arrays if name not in used]
        if "scale" in self._arrays and self._wanted.unit is not None:
            notes.append(f"unit {self._wanted.unit} as asked for: the array 'scale' was not read")
        if left:
            notes.append(f"arrays not taken over: {', '.join(left)}")
        return tuple(notes)
