"""A user's own components: by decorator, or by the path of their code.

A path is ``package.module:Name`` or ``folder/file.py:Name``. What it names is what an `Entry`'s
target is; its attributes `options` (a class), `tasks` and `card` complete the entry. A class that
has a `build` is built by that.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.registry.options import Section
from iterate_core.registry.registry import Entry, Registry

T = TypeVar("T")
FACTS = ("card", "fitted", "maps")
_decorated: set[str] = set()
# The names of Python's modules as they call themselves too: os.system is of "posix".
_PYTHONS_OWN = {*sys.stdlib_module_names, *sys.builtin_module_names}


def own_entry(registry: Registry, name: str, where: str = "") -> Entry:
    """The entry of a component that is named by the path of its code, which is not called yet.

    Args:
        registry: Says what it is to be, what types its options, and what it will be called with.
        name: ``package.module:Name`` or ``folder/file.py:Name``.
        where: The YAML path of the name, for messages.

    Raises:
        RequestError: There is no such module, file or name in it, importing it fails, or it
            cannot be called as its kind is.
    """
    target = own_object(name, where)
    options = getattr(target, "options", None)
    if options is not None and not (isinstance(options, type) and issubclass(options, Section)):
        what = f"{name!r} has options that are no class of options."
        hint = "Derive it from the options of its kind, as the templates in docs/examples do."
        raise RequestError(Problem(where, what, hint))
    entry = entry_of(name, target, registry.options)
    reason = _unfit(entry.target, registry.call)
    if reason is not None:
        what = f"{name!r} is no {registry.kind}: {reason}."
        hint = f"Name a class or function of yours that takes ({', '.join(registry.call)})."
        raise RequestError(Problem(where, what, hint))
    return entry


def own_object(name: str, where: str = "") -> Any:
    """What a path of code names.

    Args:
        name: ``package.module:Name`` or ``folder/file.py:Name``.
        where: The YAML path of the name, for messages.

    Raises:
        RequestError: There is no such module, file or name in it, or importing it fails.
    """
    place, _, attribute = name.rpartition(":")
    module = _module(place, where)
    if not hasattr(module, attribute):
        what = f"{place} has no {attribute!r}."
        raise RequestError(Problem(where, what, nearest(attribute, _nameable(module))))
    return getattr(module, attribute)


def _nameable(module: ModuleType) -> list[str]:
    """What of a module may be a component: its own if there is any, else what it imports."""
    found = {
        name: known
        for name, known in vars(module).items()
        if not name.startswith("_") and callable(known) and not inspect.isabstract(known)
    }
    own = [
        name
        for name, known in found.items()
        if getattr(known, "__module__", None) == module.__name__
    ]
    return own or list(found)


def _unfit(target: Any, call: tuple[str, ...]) -> str | None:
    """Why something cannot be what a recipe names, told without calling it; None if it can.

    Its parameters must bear the names of what they are given: many a function of a library takes
    as many, for other ends.
    """
    if not callable(target):
        return "it cannot be called"
    if missing := sorted(getattr(target, "__abstractmethods__", ())):
        return f"it lacks {', '.join(missing)}"
    package = (getattr(target, "__module__", None) or "").partition(".")[0]
    if package in _PYTHONS_OWN:
        return "it is a part of Python"
    if not call:
        return None
    try:
        signature = inspect.signature(target)
        signature.bind(*call)
    except (TypeError, ValueError):
        return f"it does not take ({', '.join(call)})"
    names = [name.lstrip("_") for name in signature.parameters][: len(call)]
    return None if names == list(call) else f"it takes ({', '.join(names)})"


def entry_of(name: str, target: Any, options: Any, tasks: tuple[str, ...] = ()) -> Entry:
    """The entry of an object, completed by its attributes."""
    facts = {key: value for key in FACTS if (value := getattr(target, key, None)) is not None}
    facts["code"] = code_of(target)
    return Entry(
        name,
        getattr(target, "options", None) or options,
        getattr(target, "build", target),
        getattr(target, "tasks", None) or tasks,
        facts,
    )


class Register(Protocol):
    """A decorator that adds what it decorates to a registry."""

    def __call__(self, name: str, *, tasks: tuple[str, ...] = ()) -> Callable[[T], T]:
        """Register under a name, for some tasks or for all."""


def registering(registry: Registry) -> Register:
    """The decorator of a registry."""

    def register(name: str, *, tasks: tuple[str, ...] = ()) -> Callable[[T], T]:
        def decorate(target: T) -> T:
            registry.register(entry_of(name, target, registry.options, tasks))
            _decorated.add(inspect.getmodule(target).__name__)  # type: ignore[union-attr]
            return target

        return decorate

    return register


def decorated_modules() -> tuple[str, ...]:
    """The modules whose decorators another process must run too.

    Raises:
        RequestError: One of them is the script itself, which other processes cannot import.
    """
    if "__main__" in _decorated:
        what = "registers components, which other processes cannot import from a script."
        hint = "Move them into a module of their own, and import it."
        raise RequestError(Problem(str(sys.argv[0]), what, hint))
    return tuple(sorted(_decorated))


def code_of(target: Any) -> str:
    """Fixed by the file that an object is written in: other code is other work."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(target))
        return hashlib.sha256(Path(path or "").read_bytes()).hexdigest()[:16]
    except (TypeError, OSError):
        return ""


def _module(place: str, where: str) -> ModuleType:
    try:
        return _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (Exception, SystemExit) as error:
        what = f"{place} cannot be imported ({type(error).__name__}: {error})."
        hint = "Name package.module:Name, or folder/file.py:Name."
        raise RequestError(Problem(where, what, hint)) from error


def _from_file(path: Path) -> ModuleType:
    """A file's module, read once a process for each content."""
    content = path.read_bytes()
    name = f"iterate_own_{hashlib.sha256(content).hexdigest()[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
