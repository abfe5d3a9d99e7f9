"""The imports of both packages, read from the source text: nothing is imported to know them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"iterate": ROOT / "iterate", "iterate_core": ROOT / "core/iterate_core"}

# The rooms of each package from the ground up: a room imports of those before it alone.
CORE = (
    *(
        "plurals",
        "escaping",
        "errors",
        "secrets",
        "fingerprint",
        "heartbeat",
        "heap",
        "faults",
        "provenance",
        "device",
        "registry",
    ),
    *("objective", "storage", "hub"),
    *(
        "data",
        "losses",
        "models",
        "optimisation",
        "tasks",
        "recipe",
        "engine",
        "lightning",
        "inference",
    ),
)
ORCHESTRATOR = (
    *("resources", "states", "tracking", "statistics", "plots", "pages", "hpo", "config", "run"),
    *("reporting", "bench", "publish", "api", "cli"),
)
LAYERS = {
    package: {room: height for height, room in enumerate(rooms)}
    for package, rooms in {"iterate_core": CORE, "iterate": ORCHESTRATOR}.items()
}


@cache
def modules() -> Mapping[str, Path]:
    """Every module of both packages by its dotted name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *inner)).removesuffix(".__init__")] = path
    return found


def imported(module: str) -> Iterator[str]:
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def module_of(name: str) -> str | None:
    """The module of ours that an imported name is, or is from; None for any other."""
    parts = name.split(".")
    prefixes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in modules()), None)


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Module → the modules of ours that it imports."""
    drawn = defaultdict(set)
    for module in modules():
        for name in imported(module):
            other = module_of(name)
            if other is not None and other != module:
                drawn[module].add(other)
    return {module: frozenset(others) for module, others in drawn.items()}


def room_of(module: str) -> tuple[str, str]:
    """A module's package, and the room it stands in; the package itself has none."""
    package, _, rest = module.partition(".")
    return package, rest.partition(".")[0]
