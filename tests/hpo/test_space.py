"""Dimensions, their grammar, and trees of them: exact meanings, and round trips without loss."""

from __future__ import annotations

import json
import math

import numpy as np
import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from iterate.hpo.space import Categorical, Float, Int, Parameter, Space, to_overrides
from iterate.hpo.space.dimension import same
from iterate.hpo.space.grammar import plain, read_dimension, read_space
from iterate.hpo.space.optuna import distribution, distributions, point_from, suggest, to_params
from iterate.hpo.space.text import dimension_text, value_text
from iterate_core.errors import RequestError

optuna.logging.set_verbosity(optuna.logging.WARNING)

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | finite | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
categoricals = st.lists(values, min_size=1, max_size=4).map(lambda v: Categorical(tuple(v)))


@st.composite
def floats(draw: st.DrawFn) -> Float:
    if draw(st.booleans()):
        step = draw(st.integers(1, 10**6)) / 10 ** draw(st.integers(0, 6))
        low = draw(st.integers(-(10**6), 10**6)) / 10 ** draw(st.integers(0, 6))
        text = f"range({low}, {low + step * draw(st.integers(1, 50))}, step={step})"
        dimension = read_dimension(text)
        assert isinstance(dimension, Float)
        return dimension
    log = draw(st.booleans())
    bounds = st.floats(1e-300 if log else -1e300, 1e300)
    low, high = sorted((draw(bounds), draw(bounds)))
    return Float(low, high, log=log)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    low = draw(st.integers(-(2**40), 2**40))
    if low > 0 and draw(st.booleans()):
        return Int(low, draw(st.integers(low, 2**41)), log=True)
    step = draw(st.integers(1, 1000))
    return Int(low, low + step * draw(st.integers(0, 1000)), step=step)


dimensions = categoricals | floats() | ints()


@st.composite
def spaces(draw: st.DrawFn, depth: int = 3, prefix: str = "k") -> Space:
    parameters = []
    for index in range(draw(st.integers(0, 3))):
        key = f"{prefix}{index}"
        if depth and draw(st.booleans()):
            choice = draw(categoricals)
            # Options share keys: only one of them is ever active.
            inner = spaces(depth=depth - 1, prefix=f"{key}.")
            branches = tuple(draw(inner) for _ in choice.choices)
            parameters.append(Parameter(key, choice, branches))
        else:
            parameters.append(Parameter(key, draw(dimensions)))
    return Space(tuple(parameters))


# --- what the grammar means -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("choice(8, 16, 32)", Categorical((8, 16, 32))),
        ("8,16,32", Categorical((8, 16, 32))),
        ("choice('b, c', null, true, [1, [x]])", Categorical(("b, c", None, True, (1, ("x",))))),
        ("choice([1, 2])", Categorical(((1, 2),))),
        ("choice(8, 8)", Categorical((8,))),
        ("sort(choice(3, 1, 2))", Categorical((1, 2, 3))),
        ("float(choice(1, 2))", Categorical((1.0, 2.0))),
        ("interval(0, 0.4)", Float(0, 0.4)),
        ("tag(log, interval(1e-6, 1e-3))", Float(1e-6, 1e-3, log=True)),
        ("int(interval(1, 8))", Int(1, 8)),
        ("int(tag(log, interval(8, 256)))", Int(8, 256, log=True)),
        ("tag(log, int(interval(8, 256)))", Int(8, 256, log=True)),
        ("range(1, 9)", Int(1, 8)),
        ("range(4)", Int(0, 3)),
        ("range(1, 10, 4)", Int(1, 9, step=4)),
        ("range(5, 1, -1)", Int(2, 5)),
        ("range(0, 1, step=0.25)", Float(0, 0.75, step=0.25)),
        ("range(0, 1, step=0.1)", Float(0, 0.9, step=0.1)),
        ("range(1, 0, step=-0.3)", Float(0.1, 1.0, step=0.3)),
        ("float(range(1, 4))", Float(1, 3, step=1)),
    ],
)  # fmt: skip
def test_grammar_means_what_hydra_means(text: str, expected: object) -> None:
    assert read_dimension(text) == expected


@pytest.mark.parametrize("text", ["range(1, 9)", "range(10, 2, -3)", "range(0, 1, step=0.125)"])
def test_ranges_hold_the_values_that_hydra_lists(text: str) -> None:
    listed = list(OverridesParser.create().parse_override(f"x={text}").sweep_iterator())
    assert sorted(read_dimension(text).values()) == sorted(listed)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("interval(3, 1)", "`low <= high` must hold, but got (low=3.0, high=1.0)"),
        ("tag(log, interval(0, 1))", "a log range needs `low > 0`, but got (low=0.0)"),
        ("int(tag(log, interval(0, 8)))", "`low >= 1`, but got 0"),
        ("interval(0, inf)", "`high` must be finite"),
        ("range(3, 3)", "no value lies from 3 towards 3"),
        ("range(0, 1, step=-0.1)", "no value lies from 0.0 towards 1.0"),
        ("range(0, 4, step=0)", "`step` must not be 0"),
        ("shuffle(choice(1, 2))", "shuffle has no meaning here"),
        ("tag(lgo, interval(1, 2))", "but got lgo"),
        ("tag(log, range(1, 9))", "tag(log, …) takes an interval"),
        ("intervall(0, 1)", "there is no function 'intervall'"),
        ("intervall(0, 1)", "Did you mean 'interval'"),
        ("interval(a, 1)", "str is incompatible with"),
        ("choice(1", "does not fit the grammar"),
        ("choice()", "empty choice"),
        ("choice({a: 1})", "but got dict"),
        ("choice(nan)", "must be finite"),
        ("1e-3", "is no search dimension"),
        ("int(choice(null))", "does not fit the grammar"),
    ],
)
def test_broken_grammar_is_refused_with_the_rule(text: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_dimension(text, "space.optimiser.lr")
    assert said in str(caught.value)
    assert caught.value.problems[0].where == "space.optimiser.lr"


def test_a_yaml_list_is_refused_with_the_right_form() -> None:
    with pytest.raises(RequestError, match=r"Write choice\(8, 16\)"):
        read_dimension([8, 16])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Int(1, 8, log=True, step=2), "a log range has no step"),
        (lambda: Int(1, 8, step=2), "whole number of steps"),
        (lambda: Int(8, 1), r"`low <= high` must hold, but got \(low=8, high=1\)"),
        (lambda: Int(1, 2**60), "2\\^53"),
        (lambda: Int(1.5, 2), "must be a whole number"),  # type: ignore[arg-type]
        (lambda: Float(0, 1, step=0.3), "whole number of steps"),
        (lambda: Float(0, 1, step=0), "`step > 0`"),
        (lambda: Float(0, math.nan), "must be finite"),
        (lambda: Categorical(()), "at least one value"),
        (lambda: Parameter("a", Int(1, 2), (Space(),)), "one branch per choice"),
        (lambda: Space((Parameter("a", Int(1, 2)), Parameter("a", Int(1, 2)))), "set twice"),
    ],
)
def test_wrong_states_are_refused_at_construction(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]


def test_keys_of_options_that_may_be_active_together_must_differ() -> None:
    inner = Space((Parameter("x", Int(1, 2)),))
    one = Parameter("a", Categorical((1, 2)), (inner, Space()))
    other = Parameter("b", Categorical((1, 2)), (Space(), inner))
    with pytest.raises(ValueError, match="x would be set twice"):
        Space((one, other))
    with pytest.raises(ValueError, match="within one of its own options"):
        Parameter("x", Categorical((1,)), (inner,))


# --- round trips ------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(dimensions)
def test_a_dimension_comes_back_from_its_text(dimension: Categorical | Float | Int) -> None:
    assert read_dimension(dimension_text(dimension)) == dimension


@settings(max_examples=300, deadline=None)
@given(values)
def test_hydra_reads_back_the_value_an_override_was_made_of(value: object) -> None:
    (word,) = to_overrides({"a.b": value})  # type: ignore[dict-item]
    parsed = plain(OverridesParser.create().parse_override(word)._value)
    assert same(_tuples(parsed), value)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**31 - 1))
def test_points_parameters_and_spaces_come_back(space: Space, seed: int) -> None:
    assert read_space(json.loads(json.dumps(space.to_mapping()))) == space
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    point = suggest(space, trial)
    # A database keeps parameters as JSON.
    params = json.loads(json.dumps(trial.params))
    assert point_from(space, params) == point
    assert to_params(space, point) == trial.params
    assert {type(v) for v in to_params(space, point).values()} == set(map(type, params.values()))
    assert set(space.active(point)) == set(trial.params)
    assert trial.params.keys() <= distributions(space).keys()
    study.tell(trial, 0.0)
    for name, found in study.trials[0].distributions.items():
        assert found == distributions(space)[name]


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# --- trees ------------------------------------------------------------------------------------

REDUCTION = Space((Parameter("model.decoder.reduction", Int(4, 16, step=4)),))
CONDITIONAL = Space(
    (
        Parameter("lr", Float(1e-5, 1e-2, log=True)),
        Parameter(
            "model/decoder",
            Categorical(("linear", "unet", "fpn")),
            (
                Space(),
                Space(
                    (
                        Parameter("model.decoder.channels", Int(16, 64, log=True)),
                        Parameter(
                            "model.decoder.attention",
                            Categorical((None, "scse")),
                            (Space(), REDUCTION),
                        ),
                    )
                ),
                Space((Parameter("model.decoder.channels", Categorical((128, 256))),)),
            ),
        ),
    )
)  # fmt: skip


def test_a_real_study_sees_exactly_the_active_parameters() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(60):
        trial = study.ask()
        point = suggest(CONDITIONAL, trial)
        study.tell(trial, float(point["lr"]))  # type: ignore[arg-type]
        decoder = point["model/decoder"]
        keys, names = {"lr", "model/decoder"}, {"lr", "model/decoder"}
        if decoder == "unet":
            keys |= {"model.decoder.channels", "model.decoder.attention"}
            names |= {f"{key}@model/decoder=unet" for key in keys - names}
            if point["model.decoder.attention"] == "scse":
                keys.add("model.decoder.reduction")
                condition = "model/decoder=unet,model.decoder.attention=scse"
                names.add(f"model.decoder.reduction@{condition}")
        if decoder == "fpn":
            keys.add("model.decoder.channels")
            names.add("model.decoder.channels@model/decoder=fpn")
            assert point["model.decoder.channels"] in (128, 256)
        assert set(point) == keys
        assert set(trial.params) == names
        seen.add((decoder, point.get("model.decoder.attention")))
    assert seen == {("linear", None), ("unet", None), ("unet", "scse"), ("fpn", None)}


def test_a_finite_space_is_counted_and_listed() -> None:
    linear, unet, fpn = CONDITIONAL.parameters[1].branches
    assert (linear.size(), unet.size(), fpn.size()) == (1, 49 * 5, 2)
    grid = Space(CONDITIONAL.parameters[1:])
    points = list(grid.points())
    assert len(points) == grid.size() == 1 + 49 * 5 + 2
    assert len({json.dumps(point) for point in points}) == len(points)
    for point in points:
        assert point_from(grid, to_params(grid, point)) == point
    assert CONDITIONAL.size() is None
    with pytest.raises(ValueError, match="endlessly many values: lr"):
        CONDITIONAL.points()
    assert list(Space().points()) == [{}]
    assert Space().size() == 1


def test_grid_points_are_what_optuna_accepts() -> None:
    steps = read_dimension("range(0.1, 1, step=0.1)")
    assert list(steps.values()) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    optunas = distribution(steps)
    assert all(optunas._contains(optunas.to_internal_repr(v)) for v in steps.values())
    assert np.isclose(optunas.high, 0.9)  # type: ignore[attr-defined]


def test_a_foreign_point_is_refused() -> None:
    point = {"lr": 1e-3, "model/decoder": "fpn", "model.decoder.channels": 128}
    assert len(CONDITIONAL.active(point)) == 3
    for change, said in [
        ({"model.decoder.channels": 64}, "64 is not within choice"),
        ({"model/decoder": "linear"}, "not active at this point: model.decoder.channels"),
        (
            {"model/decoder": "unet", "model.decoder.channels": 32},
            "the point has no model.decoder.attention",
        ),
        ({"lr": 1.0}, "1.0 is not within tag"),
    ]:
        with pytest.raises(ValueError, match=said):
            CONDITIONAL.active(point | change | {})
    with pytest.raises(ValueError, match="has no parameter 'model/decoder'"):
        point_from(CONDITIONAL, {"lr": 1e-3})


def test_the_tree_is_told_to_people() -> None:
    assert CONDITIONAL.describe().splitlines() == [
        "lr: tag(log, interval(1e-05, 0.01))",
        "model/decoder: choice(linear, unet, fpn)",
        "  unet:",
        "    model.decoder.channels: int(tag(log, interval(16, 64)))",
        "    model.decoder.attention: choice(null, scse)",
        "      scse:",
        "        model.decoder.reduction: range(4, 20, step=4)",
        "  fpn:",
        "    model.decoder.channels: choice(128, 256)",
    ]


def test_choices_that_python_holds_equal_stay_apart() -> None:
    space = Space((Parameter("x", Categorical((1, 1.0, True, "1", "json:1", (1,), None))),))
    for point in space.points():
        (params,) = [to_params(space, point)]
        back = point_from(space, json.loads(json.dumps(params)))
        assert same(back["x"], point["x"])
    assert value_text("null") == "'null'"
