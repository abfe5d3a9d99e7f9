"""A dataset class by its path, made with what a recipe says."""

from __future__ import annotations

import contextlib
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from rasterio.errors import NotGeoreferencedWarning

from iterate_core.data.folders.reader import existing_folder
from iterate_core.data.own import file_of, told
from iterate_core.data.torchgeo.options import SourceData
from iterate_core.errors import DataError, Problem, RequestError, nearest
from iterate_core.registry.user_code import code_of, own_object
from iterate_core.storage.digests import hash_files

_FOLDERS = ("root", "paths")
"""How datasets call the argument that says where their files lie."""


class Source:
    """A dataset class that is known and called as it can be, but not made yet.

    Args:
        section: Of the recipe.
        base: What the class must derive from: ``NonGeoDataset`` or ``GeoDataset``.
        where: The YAML path of `section`.

    Raises:
        RequestError: There is no such class, or it does not take the arguments.
        DataError: There is no such folder.
    """

    def __init__(self, section: SourceData, base: str, where: str = "data") -> None:
        self.section = section
        self.where = where
        self.root = existing_folder(section.root)
        self.kind = _class_of(section, base, where)
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

    def check_argument(self, name: str, where: str) -> None:
        """Refuse a keyword argument that the class does not take, or is given already.

        Raises:
            RequestError: It is one.
        """
        names = _parameters(self.kind)
        if name in _FOLDERS:
            raise RequestError(Problem(where, f"is given as {self.where}.root."))
        if names and name not in names and "**" not in names:
            what = f"{self.name} takes no argument {name!r}."
            raise RequestError(Problem(where, what, nearest(name, list(names))))

    def takes(self, argument: str) -> bool:
        """Whether the class has a keyword argument of this name."""
        return argument in _parameters(self.kind)

    def make(self, **more: Any) -> Any:
        """The dataset, with further arguments.

        Raises:
            DataError: Its files are absent or foreign, or making it fails.
        """
        arguments = {**self.section.arguments, **more}
        if isinstance(arguments.get("crs"), str):
            from pyproj import CRS

            arguments["crs"] = CRS.from_user_input(arguments["crs"])
        with self.told("is made"):
            return self.kind(**{str(self._folder): str(self.root), **arguments})

    @contextlib.contextmanager
    def told(self, doing: str) -> Iterator[None]:
        """Tell what the class raises; what it prints is no result of ours."""
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            try:
                with told(self.section.dataset, file_of(self.kind), doing):
                    yield
            except DataError as error:
                if type(error.__cause__).__name__ != "DatasetNotFoundError":
                    raise
                # Its message advises to download, in terms of Python.
                what = f"holds no dataset of {self.section.dataset}."
                advice = (
                    f"{self.where}.root is the folder that the class's documentation describes."
                )
                raise DataError(Problem(str(self.root), what, advice)) from error

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
    return _with_attributes(found, section.attributes)


def _with_attributes(kind: type[Any], attributes: Mapping[str, Any]) -> type[Any]:
    """A class whose attributes are others; lists become tuples, as classes write them."""
    if not attributes:
        return kind
    own = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in attributes.items()
    }
    return type(kind.__name__, (kind,), {**own, "__module__": kind.__module__})


def _parameters(kind: type[Any]) -> tuple[str, ...]:
    """Names of what a class is made with; ``**`` among them where it takes any."""
    return tuple(
        "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else parameter.name
        for parameter in inspect.signature(kind).parameters.values()
    )
