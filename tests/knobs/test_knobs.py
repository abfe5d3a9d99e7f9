"""Every option that a user can set changes what it promises, and nothing else.

The options are found by reading the schema (`knobs_support`), so none can be forgotten: one without
a case fails here. **To add an option**, add a case to the table of its subject, under its path
(``search.trial_hours``) or the class that declares it (``AdamWOptions.amsgrad``): two legal values,
and what is seen of each, which must differ. What must stay the same, and what is seen exactly, may
be said too.
"""

from pathlib import Path

import pytest
from knobs_adapters_support import ADAPTERS
from knobs_arrays_support import ARRAYS
from knobs_backbones_support import BACKBONES
from knobs_bench_support import PROTOCOLS
from knobs_data_support import DATA
from knobs_detectors_support import DETECTORS
from knobs_folders_support import FOLDERS
from knobs_parts_support import PARTS
from knobs_recipe_support import RECIPE
from knobs_search_support import SEARCH
from knobs_suites_support import FACTS, SECTIONS, SUITES, suite_knobs
from knobs_support import Case, Knob, Scene, knobs
from knobs_terratorch_support import TERRATORCH
from knobs_torchgeo_support import TORCHGEO

CASES: dict[str, Case] = {
    **RECIPE,
    **ADAPTERS,
    **DATA,
    **FOLDERS,
    **ARRAYS,
    **TORCHGEO,
    **PARTS,
    **DETECTORS,
    **BACKBONES,
    **TERRATORCH,
    **SEARCH,
    **PROTOCOLS,
    **SUITES,
}
# In one order, so that several processes share the tests out alike.
KNOBS = {knob.name: knob for knob in sorted((*knobs(), *suite_knobs()), key=lambda k: k.name)}


def found(knob: Knob) -> Case | None:
    return next((CASES[key] for key in knob.keys if key in CASES), None)


@pytest.mark.parametrize("name", KNOBS)
def test_an_option_changes_what_it_promises_and_nothing_else(name: str, tmp_path: Path) -> None:
    knob = KNOBS[name]
    case = found(knob)
    assert case is not None, f"{name} has no case: add one under {' or '.join(knob.keys)}"
    scenes = []
    for number, value in enumerate(case.values):
        folder = tmp_path / str(number)
        folder.mkdir()
        scenes.append(Scene(knob, value, folder))
    one, two = map(case.see, scenes)
    assert one != two
    if case.gives is not None:
        assert (one, two) == case.gives
    if case.same is not None:
        assert case.same(scenes[0]) == case.same(scenes[1])


def test_no_case_is_left_over() -> None:
    used = {next(key for key in knob.keys if key in CASES) for knob in KNOBS.values()}
    # Tessera is there with newer versions of TorchGeo only, others with their libraries.
    optional = ("Tessera", "OlmoEarth", "PrithviWxc")
    assert {key for key in CASES.keys() - used if not key.startswith(optional)} == set()
    declared = {kind.__name__: set(kind.model_fields) for kind in SECTIONS}
    assert all(facts <= declared[name] for name, facts in FACTS.items())
