"""A damaged checkpoint is a sentence that names it, and never other numbers."""

import io
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import recipe
from safetensors.torch import load_file, save_file

from iterate_core.engine import checkpoints, fit
from iterate_core.engine.checkpoints import (
    BEST,
    LAST,
    FitProgress,
    load_best,
    load_progress,
    save_best,
    save_progress,
)
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    list(islice(fit.epochs(prepare(recipe()), folder), 1))
    return folder


def mutants(content: bytes, count: int) -> Iterator[bytes]:
    """Cut, with a changed bit, or with a stretch replaced; most where the headers are."""
    rng = np.random.default_rng(0)
    for number in range(count):
        changed = bytearray(content)
        place = int(
            rng.choice([rng.integers(2000), rng.integers(len(content)), -rng.integers(2000)])
        )
        if number % 3 == 0:
            yield bytes(changed[:place])
        elif number % 3 == 1:
            changed[place] ^= 1 << int(rng.integers(8))
            yield bytes(changed)
        else:
            changed[place : place + 50] = rng.bytes(int(rng.integers(1, 100)))
            yield bytes(changed)


def test_whatever_is_damaged_of_a_checkpoint_is_named(trained: Path, tmp_path: Path) -> None:
    identity = prepare(recipe()).identity
    small = load_progress(trained, identity)
    small.state = {"weights": torch.arange(50.0), "numbers": list(range(50))}
    save_progress(tmp_path, small)
    content = (tmp_path / LAST).read_bytes()
    refused = 0
    for mutant in mutants(content, 400):
        (tmp_path / LAST).write_bytes(mutant)
        try:
            found = load_progress(tmp_path, identity)
        except RequestError as error:
            assert LAST in str(error)  # noqa: PT017 - either outcome is right, no other is
            refused += 1
            continue
        assert found.state is not None
        assert torch.equal(found.state["weights"], torch.arange(50.0))
        assert (found.state["numbers"], found.reports) == (list(range(50)), small.reports)
    assert refused > 200


def test_a_changed_weight_is_found_before_training_continues(trained: Path, tmp_path: Path) -> None:
    content = bytearray((trained / LAST).read_bytes())
    content[len(content) // 2] ^= 64
    (tmp_path / LAST).write_bytes(content)
    with pytest.raises(RequestError, match=r"last\.ckpt: is damaged .*Delete it to train anew"):
        next(iter(fit.epochs(prepare(recipe()), tmp_path)))


def test_a_changed_weight_is_found_before_it_is_tested(trained: Path, tmp_path: Path) -> None:
    content = bytearray((trained / BEST).read_bytes())
    content[-3] ^= 64
    (tmp_path / BEST).write_bytes(content)
    with pytest.raises(RequestError, match=r"best\.safetensors: is damaged .*checksum"):
        fit.test(prepare(recipe()), tmp_path)


def test_weights_that_were_saved_without_a_checksum_are_still_read(
    trained: Path, tmp_path: Path
) -> None:
    identity = prepare(recipe()).identity
    save_file(load_file(trained / BEST), tmp_path / BEST, metadata={"identity": identity})
    assert fit.test(prepare(recipe()), tmp_path) == fit.test(prepare(recipe()), trained)


def test_equal_trainings_leave_equal_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(2), "a": torch.zeros(3, dtype=torch.int64)}
    metadata = {
        name: f"value of {name} “ü”" for name in ("epoch", "identity", "value", "objective")
    }
    written = set()
    for turn in range(12):
        keys = list(metadata)[turn % 4 :] + list(metadata)[: turn % 4]
        save_best(tmp_path, tensors, {key: metadata[key] for key in keys})
        written.add((tmp_path / BEST).read_bytes())
    assert len(written) == 1
    found, told = load_best(tmp_path, metadata["identity"])
    assert metadata.items() <= told.items()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


class Interrupted(BaseException):
    pass


class Interrupting(io.BytesIO):
    """A file at whose fourth write a signal arrives."""

    writes = 0

    def write(self, data: Any) -> int:
        self.writes += 1
        if self.writes == 4:
            raise Interrupted
        return super().write(data)


def test_an_interruption_while_writing_is_no_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = SimpleNamespace(open=lambda mode: Interrupting())
    monkeypatch.setattr(checkpoints, "replacing", lambda *_: nullcontext(part))
    state = {"model": {"weight": torch.zeros(10_000)}}
    with pytest.raises(Interrupted):
        save_progress(tmp_path, FitProgress("mine", state=state))
