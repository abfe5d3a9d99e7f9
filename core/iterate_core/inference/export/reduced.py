"""ONNX graphs in fewer bits: weights as float16, or layers as 8-bit integers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from iterate_core.errors import WorkError
from iterate_core.inference.export.graph import Arrays, first_line

INT8_FILE = "model.int8.onnx"
CALIBRATED = 64
"""Training samples that the ranges of activations are read from."""
_LAYERS = ("Conv", "MatMul", "Gemm")
_DYNAMIC = ("MatMul", "Gemm")  # of convolutions the runtime has no fast kernel for this
_SMALL = 256  # numbers; what is less is not worth a node


def write_half(source: Path, target: Path) -> None:
    """Keep a graph's weights as float16, in half the bytes; it computes in float32 as before.

    The runtime widens them once, when it loads the graph. Weights that are no halves already (see
    `iterate_core.inference.export.merged.halved`), as what was folded from several, stay as they
    are: the graph gives the numbers that it gave.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    widened = []
    for weight in graph.initializer:
        array = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or array.size < _SMALL:
            continue
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), array, equal_nan=True):
            continue
        name = f"{weight.name}.float16"
        widened.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(numpy_helper.from_array(half, name))
    before = list(graph.node)
    del graph.node[:]
    graph.node.extend([*widened, *before])
    _save(model, target)


def write_int8(source: Path, target: Path, samples: Iterator[Arrays] | None) -> bool:
    """Compute a graph's convolutions and linear layers in 8-bit integers.

    Args:
        source: The graph.
        target: The file to write.
        samples: Inputs by which the ranges of activations are found; None finds them anew for
            each batch, of linear layers alone.

    Returns:
        Whether there was anything to quantise.

    Raises:
        WorkError: The quantiser cannot take the graph.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        only_weights = {"MatMulConstBOnly": True}
        try:
            quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            if samples is None:
                quantization.quantize_dynamic(
                    ready,
                    target,
                    op_types_to_quantize=list(_DYNAMIC),
                    per_channel=True,
                    extra_options=only_weights,
                )
            else:
                quantization.quantize_static(
                    ready,
                    target,
                    _Reader(samples),
                    op_types_to_quantize=list(_LAYERS),
                    per_channel=True,
                    activation_type=quantization.QuantType.QUInt8,
                    weight_type=quantization.QuantType.QInt8,
                    extra_options=only_weights,
                )
        except Exception as error:  # the quantiser's own errors are of many types
            raise WorkError(f"it cannot be quantised: {first_line(error)}") from error
    return _quantised(target)


class _Reader:
    """Samples as onnxruntime's calibration reads them."""

    def __init__(self, samples: Iterator[Arrays]) -> None:
        self._samples = samples

    def get_next(self) -> Arrays | None:
        return next(self._samples, None)


def _quantised(path: Path) -> bool:
    import onnx

    kinds = {node.op_type for node in onnx.load(path, load_external_data=False).graph.node}
    return any("Quantize" in kind or "Integer" in kind for kind in kinds)


def _save(model: Any, path: Path) -> None:
    import onnx

    onnx.save(model, path)
