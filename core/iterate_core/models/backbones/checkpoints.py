"""Loading tensors into an encoder so that nothing is missing, left over or misshapen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError

WHERE = "model.backbone.weights"
_SHOWN = 6


def load_strictly(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    defaults: Mapping[str, Tensor] | None = None,
) -> None:
    """Copy tensors into a module's parameters and buffers.

    Args:
        module: What to fill; unchanged if anything is wrong. On the meta device it takes the
            tensors themselves, so that a large model is never held twice.
        tensors: By the module's own names.
        source: The file they came from, for messages.
        defaults: Values of what published files do not hold.

    Raises:
        RequestError: A name is missing or left over, or a shape differs; all are named.
    """
    wanted = module.state_dict()
    tensors = {**(defaults or {}), **tensors}
    missing = [name for name in wanted if name not in tensors]
    left_over = [name for name in tensors if name not in wanted]
    misshapen = [
        f"{name} is {_shape(tensor)} instead of {_shape(wanted[name])}"
        for name, tensor in tensors.items()
        if name in wanted and tensor.shape != wanted[name].shape
    ]
    problems = [
        Problem(WHERE, f"{source} {what}: {_names(names)}.")
        for what, names in (
            ("lacks weights of the model", missing),
            ("holds weights that the model does not have", left_over),
            ("holds weights of another shape", misshapen),
        )
        if names
    ]
    if problems:
        raise RequestError(problems)
    meta = any(tensor.is_meta for tensor in wanted.values())
    module.load_state_dict(tensors, strict=True, assign=meta)


def strip(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def without(tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """The tensors whose names start with none of the prefixes."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(prefixes)}


def _shape(tensor: Tensor) -> str:
    return "×".join(str(side) for side in tensor.shape) or "a number"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    rest = len(names) - _SHOWN
    return shown + (f" and {rest} more" if rest > 0 else "")
