"""The layers of DESIGN.md, read from the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import iterate

PACKAGE = Path(iterate.__file__).parent
# Each part of the package, and what it may import of the others.
BELOW = {
    "core": set(),
    "resources": set(),
    "search": {"core"},
    "tracking": {"core"},
    "config": {"core", "search", "tracking", "resources"},
    "run": {"core", "search", "tracking", "config"},
    "bench": {"core", "search", "tracking", "config", "run", "resources"},
    "api": {"core", "search", "tracking", "config", "run"},
    "cli": {"core", "search", "tracking", "config", "run", "bench", "resources"},
}
# Libraries that belong to one part (or one subpackage) alone.
HOMES = {
    "torch": ("core",),
    "lightning": ("core",),
    "timm": ("core",),
    "torchmetrics": ("core",),
    "segmentation_models_pytorch": ("core",),
    "hydra": ("config", "search.space"),
    "omegaconf": ("config", "search.space"),
    "optuna": ("search", "run", "cli.progress"),
    "ray": ("search",),
    "mlflow": ("tracking",),
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_part_imports_what_is_above_it() -> None:
    wrong = []
    for module, tree in modules():
        part = module.split(".")[0]
        if part not in BELOW:
            continue
        for name in imported(tree):
            first, _, rest = name.partition(".")
            other = rest.split(".")[0]
            if first == "iterate" and other in BELOW and other not in {part, *BELOW[part]}:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_libraries_stay_where_they_belong() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in modules()
        for name in imported(tree)
        if (homes := HOMES.get(name.split(".")[0])) is not None
        and not any(module == home or module.startswith(f"{home}.") for home in homes)
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ["iterate", "iterate.cli.main", "iterate.config.load"])
def test_the_door_is_light(module: str) -> None:
    heavy = ("torch", "lightning", "timm", "ray", "mlflow", "pandas", "sklearn")
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
