"""What a training run leaves in its folder.

``last.ckpt`` is everything needed to continue after the last finished epoch; once training is
complete it holds the reports alone. ``best.safetensors`` holds what was trained, as it was after
the epoch with the best objective. Both are whole or absent.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from iterate_core import __version__
from iterate_core.engine.reports import BEST, LAST, EpochReport
from iterate_core.errors import Problem, RequestError
from iterate_core.faults import machine_error
from iterate_core.storage.files import replacing

LAYOUT = 1
_CHECKSUM = "crc32"
_EARLIER = "an earlier version"  # which did not say its own


class OtherVersionError(RequestError):
    """A checkpoint was written by another version of iterate, so it cannot be continued."""


@dataclass
class FitProgress:
    """How far a run has come.

    Attributes:
        identity: Of the recipe, its data and its weights.
        reports: Of all finished epochs.
        reference: The objective's value that patience is counted from.
        waited: Epochs since `reference`.
        at_once: Samples that go through the model at once, where a whole batch was too many.
        state: Tensors and numbers of model, optimiser and schedule; None once done.
    """

    identity: str
    reports: list[EpochReport] = field(default_factory=list)
    reference: float | None = None
    waited: int = 0
    at_once: int | None = None
    state: dict[str, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether no epoch follows."""
        return bool(self.reports) and self.reports[-1].done


def save_progress(folder: Path, progress: FitProgress) -> None:
    """Write ``last.ckpt``; without tensors if training is complete.

    Raises:
        MachineError: The disk has no room for it.
    """
    content = {
        "layout": LAYOUT,
        "version": __version__,
        "identity": progress.identity,
        "reports": [asdict(report) for report in progress.reports],
        "reference": progress.reference,
        "waited": progress.waited,
        "at_once": progress.at_once,
        "state": None if progress.done else progress.state,
    }
    # Through a handle of Python's own, which tells why a write failed; PyTorch's own does not.
    with replacing(folder / LAST, _bytes(content)) as part, part.open("wb") as handle:
        _save(content, handle)


def _save(content: Any, handle: BinaryIO) -> None:
    """As `torch.save`, which closes its archive when it is interrupted, and fails at that."""
    try:
        torch.save(content, handle)
    except RuntimeError as error:
        interruption = error.__context__
        if interruption is not None and not isinstance(interruption, Exception):
            raise interruption from None
        raise


def load_progress(folder: Path, identity: str) -> FitProgress:
    """Read ``last.ckpt``; a folder without one has made no progress.

    Raises:
        OtherVersionError: Another version of iterate wrote it.
        RequestError: It belongs to another recipe, or is damaged.
        MachineError: Its disk is out of order.
    """
    path = folder / LAST
    if not path.exists():
        return FitProgress(identity)
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        reports = [EpochReport(**report) for report in content["reports"]]
        found = FitProgress(
            content["identity"],
            reports,
            content["reference"],
            content["waited"],
            content.get("at_once"),
            content["state"],
        )
    except Exception as error:  # damaged bytes end in any error type at all
        if (fault := machine_error(error, folder)) is not None:
            raise fault from error
        what = f"is damaged or no checkpoint of ours ({type(error).__name__})."
        raise RequestError(Problem(str(path), what, "Delete it to train anew.")) from error
    version = str(content.get("version", _EARLIER))
    if found.identity != identity and version != __version__:
        what = f"was written by iterate {version}, and this is {__version__}: it cannot go on."
        raise OtherVersionError(Problem(str(path), what, "Use another folder, or delete it."))
    _belongs(path, found.identity, identity)
    return found


def set_aside(folder: Path) -> None:
    """Put another version's checkpoint away, beside its place; training then begins anew."""
    for name in (LAST, BEST):
        kept = folder / f"earlier-{name}"
        number = 1
        while kept.exists():
            number += 1
            kept = folder / f"earlier-{number}-{name}"
        if (folder / name).exists():
            (folder / name).rename(kept)


def save_best(folder: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write ``best.safetensors``, with a checksum, of which the format has none.

    Raises:
        MachineError: The disk has no room for it.
    """
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(folder / BEST, _bytes(held)) as part:
        save_file(held, part, metadata={**metadata, _CHECKSUM: _checksum(held)})
        _order_metadata(part)


def _order_metadata(path: Path) -> None:
    """Sort a file's metadata, which safetensors writes in an order that changes at random.

    Equal trainings then leave equal bytes. The header keeps its length.
    """
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.seek(8)
        file.write(text.ljust(length))


def load_best(folder: Path, identity: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of ``best.safetensors``.

    Raises:
        RequestError: It is absent, damaged, or of another recipe.
        MachineError: Its disk is out of order.
    """
    path = folder / BEST
    if not path.is_file():
        what = "there is no trained checkpoint here."
        raise RequestError(Problem(str(path), what, "Fit the recipe into this folder first."))
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # damaged bytes end in any error type at all
        if (fault := machine_error(error, folder)) is not None:
            raise fault from error
        raise _damaged_best(path, str(error)) from error
    if metadata.get(_CHECKSUM, "") not in ("", _checksum(tensors)):
        raise _damaged_best(path, "its checksum is another")
    _belongs(path, metadata.get("identity"), identity)
    return tensors, metadata


def _bytes(content: Any) -> int:
    """About how many bytes a nest of tensors takes in a file."""
    if isinstance(content, Tensor):
        return content.nbytes
    inside = content.values() if isinstance(content, Mapping) else content
    if isinstance(content, Mapping | list | tuple):
        return sum(_bytes(part) for part in inside)
    return 0


def _check_sums(path: Path) -> None:
    """Refuse a changed byte, which loading alone would take for another number."""
    with zipfile.ZipFile(path) as archive:
        changed = archive.testzip()
    if changed is not None:
        raise zipfile.BadZipFile(f"the checksum of {changed} is another")


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    total = 0
    for name in sorted(tensors):
        flat = tensors[name].reshape(-1).view(torch.uint8)
        total = zlib.crc32(flat.numpy().data, zlib.crc32(name.encode(), total))
    return f"{total:08x}"


def _damaged_best(path: Path, reason: str) -> RequestError:
    hint = f"Delete the folder's {LAST} too, and fit anew."
    return RequestError(Problem(str(path), f"is damaged ({reason}).", hint))


def _belongs(path: Path, found: str | None, identity: str) -> None:
    if found != identity:
        what = (
            f"was written by another recipe, or for other data, weights or version ({found}, "
            f"this one is {identity})."
        )
        raise RequestError(Problem(str(path), what, "Use another folder, or delete it."))
