"""Pickles are rebuilt without running anything in them."""

import contextlib
import datetime as dt
import os
import pickle
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterate_core.data.geobench_v1 import unpickle
from iterate_core.errors import DataError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


class Runs:
    """What an attacker writes: unpickling it calls a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@given(PLAIN)
def test_plain_values_come_back(value: object) -> None:
    for protocol in (2, 4):
        assert unpickle.load(pickle.dumps(value, protocol), "f") == value
    text = str(pickle.dumps(value, 4))
    assert unpickle.load_literal(text, "f") == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        np.int64(7),
        np.float32(0.5),
        np.bool_(True),
        np.array([1, 0, 1]),
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        dt.date(2017, 3, 1),
        dt.datetime(2017, 3, 1, 12, 30),
    ],
    ids=str,
)
def test_numbers_arrays_and_dates_come_back(value: object, protocol: int) -> None:
    found = unpickle.load(pickle.dumps({"label": value}, protocol), "f")["label"]
    np.testing.assert_array_equal(found, value)
    assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


def test_classes_of_the_original_project_become_records(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("ccb", "ccb.io"):
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    module = types.ModuleType("ccb.io.dataset")
    band = type("Sentinel2", (), {"__module__": "ccb.io.dataset"})
    module.Sentinel2 = band  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ccb.io.dataset", module)
    original = band()
    original.name, original.stats = "02 - Blue", np.array([1.0, 2.0])
    raw = pickle.dumps({"band": original, "class": band}, 4)
    monkeypatch.delitem(sys.modules, "ccb.io.dataset")
    found = unpickle.load(raw, "f")["band"]
    assert (type(found).__name__, found.get("name")) == ("Sentinel2", "02 - Blue")
    np.testing.assert_array_equal(found.get("stats"), [1.0, 2.0])


def test_what_a_pickle_asks_for_is_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    payloads = [
        Runs(os.system, f"touch {made}"),
        Runs(open, str(made), "w"),
        Runs(eval, f"open({str(made)!r}, 'w')"),
        Runs(os.mkdir, str(made)),
    ]
    for payload in payloads:
        with pytest.raises(DataError, match=r"sample\.hdf5: .*forbidden class \w+\.\w+") as caught:
            unpickle.load(pickle.dumps({"label": payload}, 4), "sample.hdf5")
        assert "nothing of it was run" in str(caught.value)
    assert not made.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80\x04",
        b"not a pickle",
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x04N.more",
        b"\x80\x04\x82\x01.",
        b"\x80\x04\x96\xff\xff\xff\xff\xff\xff\xff\x7fx.",
        b"\x80\x04" + b"]" * 200 + b"a" * 199 + b".",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'x'\ntR.",
    ],
    ids=["empty", "cut", "text", "memo", "tail", "extension", "huge", "deep", "object", "pointer"],
)
def test_damaged_and_oversized_pickles_are_refused(raw: bytes) -> None:
    with pytest.raises(DataError, match=r"^f: "):
        unpickle.load(raw, "f")


def test_a_small_pickle_cannot_grow_beyond_bounds() -> None:
    value: list[object] = []
    for _ in range(45):
        value = [value, value]
    began = time.monotonic()
    unpickle.load(pickle.dumps(value, 4), "f")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "text",
    ["", "1+1", "b'a' b'b'", "b'a'+b'b'", "'text'", "b'\\xzz'", "__import__('os')", "[" * 9999],
)
def test_the_attribute_must_be_one_literal(text: str) -> None:
    with pytest.raises(DataError, match=r"^f: "):
        unpickle.load_literal(text, "f")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for attempt in (raw, b"\x80\x04" + raw + b"."):
        with contextlib.suppress(DataError):  # whatever else comes out fails the test
            unpickle.load(attempt, "f")
