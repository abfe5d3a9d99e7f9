"""A dataset class by its path, made with what a recipe says."""

from __future__ import annotations

import contextlib
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rasterio.errors import NotGeoreferencedWarning

from iterate_core.data.folders.reader import existing_folder
from iterate_core.data.own import file_of, told
from iterate_core.data.target import Form
from iterate_core.data.torchgeo.options import SourceData
from iterate_core.errors import DataError, Problem, RequestError, nearest
from iterate_core.registry.user_code import code_of, own_object
from iterate_core.storage.digests import hash_files

_FOLDERS = ("root", "paths")
"""How datasets call the argument that says where their files lie."""

_DEPRECATIONS = (DeprecationWarning, PendingDeprecationWarning)
"""What libraries tell each other, which Python shows to nobody of itself."""

BANDS = ("bands", "all_bands")
CLASSES = ("classes", "class_names", "categories")
"""Attributes in which datasets name their bands and classes."""

_SPLITS = ("split", "splits")
"""How they call the argument that chooses a split."""


class Source:
    """A dataset class that is known and called as it can be, but not made yet.

    Args:
        section: Of the recipe.
        root: The folder of its files.
        base: What the class must derive from: ``NonGeoDataset`` or ``GeoDataset``.
        where: The YAML path of `section`.
        form: Of targets: what the files of labels say; None: they are images.

    Raises:
        RequestError: There is no such class, or it does not take the arguments.
        DataError: There is no such folder.
    """

    def __init__(
        self,
        section: SourceData,
        root: Path,
        base: str,
        where: str = "data",
        form: Form | None = None,
    ) -> None:
        self.section = section
        self.where = where
        self._base, self._form = base, form
        self.root = existing_folder(root)
        found = _class_of(section, base, where)
        self.kind = _with_attributes(found, {**_of_labels(found, form), **section.attributes})
        names = _parameters(self.kind)
        self._folder = next((name for name in _FOLDERS if name in names), None)
        if self._folder is None:
            what = f"{self.name} takes neither root nor paths, so that it cannot be told where"
            raise RequestError(Problem(f"{where}.dataset", f"{what} its files lie."))
        for name in section.arguments:
            self.check_argument(name, f"{where}.arguments.{name}")

    @property
    def name(self) -> str:
        """The class's own name."""
        return self.kind.__name__

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process finds the class anew: one of a file cannot be named to it."""
        return type(self), (self.section, self.root, self._base, self.where, self._form)

    def check_argument(self, name: str, where: str) -> None:
        """Refuse a keyword argument that the class does not take, or is given already.

        Raises:
            RequestError: It is one.
        """
        names = _parameters(self.kind)
        if name in _FOLDERS:
            raise RequestError(Problem(where, "is the folder, which data.root says."))
        if names and name not in names and "**" not in names:
            what = f"{self.name} takes no argument {name!r}."
            raise RequestError(Problem(where, what, nearest(name, list(names))))

    def takes(self, argument: str) -> bool:
        """Whether the class has a keyword argument of this name."""
        return argument in _parameters(self.kind)

    def check_whole(self) -> None:
        """Refuse to take for all samples what is one of the class's own splits only.

        Raises:
            RequestError: The class has splits, and nothing is said of them.
        """
        argument = next((name for name in _SPLITS if self.takes(name)), None)
        if argument is not None and argument not in self.section.arguments:
            what = f"must say the values of {self.name}'s argument {argument!r}, which has splits."
            hint = (
                f"For example {{argument: {argument}, train: train, val: val, test: test}}; or "
                f"draw them of one: {self.where}.arguments.{argument}."
            )
            raise RequestError(Problem("data.split", what, hint))

    def make(self, **more: Any) -> Any:
        """The dataset, with further arguments.

        Raises:
            DataError: Its files are absent or foreign, or making it fails.
        """
        arguments = {**self.section.arguments, **more}
        with self.told("is made"):
            return self.kind(**{str(self._folder): str(self.root), **arguments})

    @contextlib.contextmanager
    def told(self, doing: str) -> Iterator[None]:
        """Tell what the class raises; what it prints is no result of ours."""
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            for of_no_use in (NotGeoreferencedWarning, *_DEPRECATIONS):
                warnings.simplefilter("ignore", of_no_use)
            try:
                with told(self.section.dataset, file_of(self.kind), doing):
                    yield
            except DataError as error:
                raise self._advised(error) from error

    def _advised(self, error: DataError) -> DataError:
        """The same with advice, where the library's words have none or speak of Python."""
        kind = type(error.__cause__).__name__
        if kind == "DatasetNotFoundError":
            what = f"holds no dataset of {self.section.dataset}."
            advice = f"{self.where}.root is the folder that the class's documentation describes."
            return DataError(Problem(str(self.root), what, advice))
        if "coordinate operations" in str(error):  # of types that differ by TorchGeo's version
            what = "holds files whose coordinates cannot be brought to those of the others."
            advice = (
                "Write into each what its coordinates are, such as by "
                "`rio edit-info --crs EPSG:2154 FILE`."
            )
            return DataError(Problem(str(self.root), what, advice))
        return error

    def content(self) -> dict[str, Any]:
        """What fixes its samples, beside the recipe: its files, and the code that reads them."""
        import torchgeo

        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        names = [path.relative_to(self.root).as_posix() for path in files]
        return {
            "files": hash_files(self.root, names),
            "code": code_of(self.kind),
            "torchgeo": torchgeo.__version__,
        }


def _class_of(section: SourceData, base: str, where: str) -> type[Any]:
    """The class, with attributes as the recipe wants them.

    Raises:
        RequestError: There is none, or it is no dataset of this kind.
    """
    import torchgeo.datasets

    name = section.dataset
    path = name if ":" in name else ":".join(name.rpartition(".")[::2])
    found = own_object(path, f"{where}.dataset") if "." in name or ":" in name else None
    wanted: type[Any] = getattr(torchgeo.datasets, base)
    if not (isinstance(found, type) and issubclass(found, wanted)):
        what = f"{name!r} is no {base}."
        hint = f"Name a class that derives from torchgeo.datasets.{base}."
        raise RequestError(Problem(f"{where}.dataset", what, hint))
    for attribute in section.attributes:
        if not hasattr(found, attribute):
            what = f"{found.__name__} has no attribute {attribute!r}."
            near = nearest(attribute, [known for known in dir(found) if known[0] != "_"])
            raise RequestError(Problem(f"{where}.attributes.{attribute}", what, near))
    return found


def _of_labels(kind: type[Any], form: Form | None) -> dict[str, Any]:
    """What makes a class of images one of labels; quantities keep what is behind the point."""
    from torchgeo.datasets import RasterDataset

    if form is None or not issubclass(kind, RasterDataset):
        return {}
    own_type = kind.dtype is not RasterDataset.dtype
    return {"is_image": False} | (
        {"dtype": torch.float32} if form == "map" and not own_type else {}
    )


def _with_attributes(kind: type[Any], attributes: Mapping[str, Any]) -> type[Any]:
    """A class whose attributes are others; lists become tuples, as classes write them."""
    if not attributes:
        return kind
    own = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in attributes.items()
    }
    return type(kind.__name__, (kind,), {**own, "__module__": kind.__module__})


def named(dataset: Any, attributes: Sequence[str]) -> tuple[str, ...] | None:
    """The first of a dataset's attributes that lists names; None where none does."""
    for attribute in attributes:
        found = getattr(dataset, attribute, None)
        names = tuple(found) if isinstance(found, list | tuple) else ()
        if names and all(isinstance(name, str) for name in names):
            return names
    return None


def _parameters(kind: type[Any]) -> tuple[str, ...]:
    """Names of what a class is made with; ``**`` among them where it takes any."""
    return tuple(
        "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else parameter.name
        for parameter in inspect.signature(kind).parameters.values()
    )
