"""Reading the pickles in GeoBench v1's files without running them.

Nothing that a pickle names is imported or called. Its opcodes are checked first (sizes, memo
indices, depth), then it is rebuilt by an unpickler whose every class is one of ours: plain
records for the original project's classes, and small functions that rebuild NumPy values.
"""

from __future__ import annotations

import ast
import datetime as dt
import io
import pickle
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np

from iterate_core.errors import DataError, Problem

LARGEST = 64 * 1024 * 1024
"""Bytes beyond which a pickle is refused; the largest in the published files is far smaller."""

DEEPEST = 50
"""Levels of containers beyond which a pickle is refused."""

_SMALL = 2**16
"""Bytes up to which it is remembered that a pickle was looked at."""

_RECORD_PACKAGES = {"geobench", "ccb", "rasterio", "affine"}
_BYTES_LITERAL = re.compile(r"b'(?:[^'\\\n]|\\.)*'|b\"(?:[^\"\\\n]|\\.)*\"", re.ASCII)


class Record:
    """An object of a class that is not imported: its class's name, arguments and fields."""

    arguments: tuple[Any, ...]
    fields: dict[str, Any]

    def __new__(cls, *arguments: Any, **fields: Any) -> Self:
        """Pickles may skip `__init__`, so everything is set here."""
        record = super().__new__(cls)
        record.arguments = arguments
        record.fields = fields
        return record

    def __setstate__(self, state: Any) -> None:
        """Keep a state mapping as fields; any other state is kept under ``"state"``."""
        self.fields = dict(state) if isinstance(state, dict) else {"state": state}

    def get(self, name: str, default: Any = None) -> Any:
        """One field of the object."""
        return self.fields.get(name, default)


class _DType:
    """What `numpy.dtype` is called with; only plain numbers and booleans come out of it."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code = code
        self.order: Literal["<", ">"] = "<"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            self.order = ">"

    def dtype(self) -> np.dtype[Any]:
        if not isinstance(self.code, str) or not re.fullmatch(r"[biuf]\d{1,2}", self.code):
            raise pickle.UnpicklingError(f"holds an array of type {self.code!r}")
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """What a pickled `numpy.ndarray` is rebuilt as, until `plain` turns it into one."""

    value: np.ndarray[Any, Any]

    def __init__(self, *_: Any) -> None:
        self.value = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        flat = np.frombuffer(raw, dtype=dtype.dtype())
        self.value = flat.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: Any, raw: Any = b"") -> Any:
    return np.frombuffer(raw, dtype=dtype.dtype(), count=1)[0]


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(raw, dtype=dtype.dtype()).reshape(shape, order=order)


def _latin_1(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("encodes text in an unexpected way")
    return text.encode("latin1")


def _reconstructor(cls: Any, *_: Any) -> Any:
    return cls()


def _no_bytes() -> bytes:
    """Protocol 2 writes empty bytes as a call; with a number it would allocate at will."""
    return b""


_NUMPY = {
    "dtype": _DType,
    "ndarray": _Array,
    "_reconstruct": _Array,
    "scalar": _scalar,
    "_frombuffer": _from_buffer,
}
_PLAIN: dict[tuple[str, str], Callable[..., Any]] = {
    ("datetime", "date"): dt.date,
    ("datetime", "datetime"): dt.datetime,
    ("datetime", "timedelta"): dt.timedelta,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("__builtin__", "set"): set,
    ("__builtin__", "frozenset"): frozenset,
    ("builtins", "bytes"): _no_bytes,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "object"): Record,
    ("__builtin__", "object"): Record,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("copy_reg", "_reconstructor"): _reconstructor,
    ("_codecs", "encode"): _latin_1,
}


class _ForbiddenError(Exception):
    """The pickle names a class that is not allowed."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        package = module.partition(".")[0]
        if package in _RECORD_PACKAGES:
            return type(name.rpartition(".")[2] or "Record", (Record,), {"__module__": module})
        if package == "numpy" and name in _NUMPY:
            return _NUMPY[name]
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        raise _ForbiddenError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _ForbiddenError(f"persistent object {pid!r}")


def load(raw: bytes, where: str) -> Any:
    """Rebuild a pickle's plain values and records.

    Args:
        raw: The pickle.
        where: The file (and sample) that it comes from.

    Raises:
        DataError: It names a class outside the allow-list, or is damaged or oversized.
    """
    if len(raw) > LARGEST:
        what = f"holds a pickle of {len(raw)} bytes; at most {LARGEST} are read."
        raise DataError(Problem(where, what))
    try:
        (_check_small if len(raw) <= _SMALL else _check_opcodes)(raw)
        return plain(_Unpickler(io.BytesIO(raw)).load())
    except _ForbiddenError as error:
        what = f"holds a pickle that asks for the forbidden class {error}; nothing of it was run."
        hint = "Only take datasets from sources you trust, or write this one anew."
        raise DataError(Problem(where, what, hint)) from None
    except Exception as error:  # noqa: BLE001 - damaged bytes end in any error type at all
        what = f"holds a damaged pickle ({type(error).__name__}: {error})."
        raise DataError(Problem(where, what)) from None


def load_literal(text: str | bytes, where: str) -> Any:
    """Rebuild a pickle given as the Python text of a bytes object, as GeoBench v1 stores it.

    Raises:
        DataError: As `load`, or the text is not the literal of a bytes object.
    """
    if isinstance(text, bytes):
        text = text.decode("latin1")
    if len(text) > 4 * LARGEST:
        raise DataError(Problem(where, f"holds a pickle of {len(text)} characters; too many."))
    if not _BYTES_LITERAL.fullmatch(text):
        what = f"has a 'pickle' attribute that is not the text of a bytes object: {text[:40]!r}…"
        raise DataError(Problem(where, what))
    try:
        raw = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DataError(
            Problem(where, f"has an unreadable 'pickle' attribute ({error}).")
        ) from None
    return load(raw, where)


def _check_opcodes(raw: bytes) -> None:
    """Refuse what makes an unpickler allocate more than the pickle's own size."""
    end = 0
    for opcode, argument, position in pickletools.genops(raw):
        if opcode.name.endswith("PUT") and not 0 <= int(argument or 0) <= len(raw):
            raise pickle.UnpicklingError(f"memo index {argument} at byte {position}")
        if opcode.name in ("EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"):
            raise pickle.UnpicklingError(f"opcode {opcode.name} at byte {position}")
        end = (position or 0) + 1
    if end != len(raw):
        raise pickle.UnpicklingError(f"{len(raw) - end} bytes follow its end")


@lru_cache(maxsize=64)
def _check_small(raw: bytes) -> None:
    """As `_check_opcodes`; the samples of a dataset hold the same few, but for their dates."""
    _check_opcodes(raw)


def plain(value: Any) -> Any:
    """Replace rebuilt arrays by NumPy's, in containers and records alike."""
    return _plain(value, {}, 0)


def _plain(value: Any, done: dict[int, Any], depth: int) -> Any:
    """Each object once (`done`, by identity): a small pickle can name one object many times."""
    if depth > DEEPEST:
        raise pickle.UnpicklingError(f"nested more than {DEEPEST} deep")
    if id(value) in done:
        return done[id(value)]
    result = value
    if isinstance(value, _Array):
        result = value.value
    elif isinstance(value, _DType):
        result = value.dtype()
    elif isinstance(value, dict):
        result = {name: _plain(item, done, depth + 1) for name, item in value.items()}
    elif isinstance(value, list | tuple):
        result = type(value)(_plain(item, done, depth + 1) for item in value)
    elif isinstance(value, Record):
        value.fields = _plain(value.fields, done, depth + 1)
    done[id(value)] = result
    return result
