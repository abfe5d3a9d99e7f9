"""The walls of the house, read from the imports: layers, circles, libraries' homes, folders."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter

import pytest
from draw_architecture import PAGE, diagram
from imports_support import LAYERS, PACKAGES, arrows, imported, modules, room_of

from iterate_core.registry.registry import Registry

# Libraries that belong to some rooms alone.
ENGINE = ("iterate_core",)
HOMES = {
    "torch": ENGINE,
    "lightning": ENGINE,
    "timm": ENGINE,
    "torchgeo": ENGINE,
    "torchmetrics": ENGINE,
    "torchvision": ENGINE,
    "pycocotools": ENGINE,
    "segmentation_models_pytorch": ENGINE,
    "hydra": ("iterate.config", "iterate.hpo.space"),
    "omegaconf": ("iterate.config", "iterate.hpo.space"),
    "optuna": ("iterate.hpo",),
    "ray": ("iterate.hpo",),
    "mlflow": ("iterate.tracking",),
}
MOST_FILES = 20


def test_the_engine_knows_nothing_of_the_orchestrator() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if module.startswith("iterate_core")
        for name in imported(module)
        if name.split(".")[0] in {"iterate", "ray", "optuna", "mlflow", "hydra", "omegaconf"}
    ]
    assert wrong == []


def test_every_room_has_a_layer() -> None:
    rooms = {room_of(module) for module in modules()}
    written = {(package, room) for package, layers in LAYERS.items() for room in layers}
    assert {(p, r) for p, r in rooms if r and r != "__main__"} == written


def test_no_import_runs_upward() -> None:
    wrong = []
    for module, others in arrows().items():
        package, room = room_of(module)
        for other in others:
            its_package, its_room = room_of(other)
            if package != its_package or not (room and its_room) or room == "__main__":
                continue
            layers = LAYERS[package]
            if layers[its_room] > layers[room]:
                wrong.append(f"{module} imports {other}")
    assert wrong == []


def test_no_imports_run_in_a_circle() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' → '.join(error.args[1])}")


def test_libraries_stay_where_they_belong() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        for name in imported(module)
        if (homes := HOMES.get(name.split(".")[0])) is not None
        and not any(module == home or module.startswith(f"{home}.") for home in homes)
    ]
    assert wrong == []


def test_what_optuna_keeps_under_free_names_is_named_in_one_place() -> None:
    """A trial's attributes in the view, a study's in the notes; the storage passes them on."""
    homes = ("iterate.hpo.trials.view", "iterate.hpo.storage.notes", "iterate.hpo.storage.truth")
    named = [
        module
        for module, path in modules().items()
        if "user_attr" in path.read_text(encoding="utf-8")
    ]
    assert sorted(named) == sorted(homes)


def test_no_folder_is_a_heap() -> None:
    files = Counter(
        path.parent
        for folder in PACKAGES.values()
        for path in folder.rglob("*.py")
        if path.name != "__init__.py"
    )
    assert {str(folder): n for folder, n in files.items() if n > MOST_FILES} == {}


def test_nothing_outside_tasks_compares_their_names() -> None:
    shipped = Registry("task", "none", "iterate_core.tasks.catalogue:register")
    names = {*shipped.names(), "detection", "instance"}
    wrong = [
        f"{module}: {ast.unparse(node)}"
        for module, path in modules().items()
        if not module.startswith("iterate_core.tasks.")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        and names & {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
    ]
    # What the published files call their label, in words of their own.
    assert wrong == ["iterate_core.data.geobench_v1.declaration: 'segmentation' in kind.lower()"]


@pytest.mark.parametrize("module", ["iterate", "iterate.cli.main", "iterate.config.load"])
def test_the_door_is_light(module: str) -> None:
    heavy = ("torch", "lightning", "timm", "ray", "mlflow", "pandas", "sklearn")
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_driver_of_a_search_does_without_what_trains() -> None:
    heavy = ("torch", "lightning", "timm", "torchmetrics", "ray", "mlflow", "pandas", "matplotlib")
    driver = "iterate.cli.hpo, iterate.config.studies, iterate.run.session"
    pool = "iterate.hpo.pool.forked.pool, iterate.cli.views.tables, iterate.cli.views.progress"
    code = f"import sys, {driver}, {pool}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_picture_in_the_guide_is_that_of_the_imports() -> None:
    assert f"```mermaid\n{diagram()}```" in PAGE.read_text(encoding="utf-8")
