"""A trained model as one graph, from stored pixels to what it predicts: torch.export and ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from iterate_core.data.loading.batch import Context
from iterate_core.errors import WorkError
from iterate_core.inference.export.anonymous import strip_onnx, strip_program
from iterate_core.inference.predictor import Predictor
from iterate_core.storage.files import replacing

PROGRAM_FILE = "model.pt2"
ONNX_FILE = "model.onnx"
OUTPUT = "predicted"
OBJECTS = ("boxes", "labels", "scores", "masks")
"""What a graph gives of the objects of an image; masks where the model has them."""
TOLERANCE = 1e-4
"""How far a graph may be from the model: of the largest number it gives, or of 1 if more."""
INPUTS = ("images", "dates", "places")
_TRACED = 2  # images; one is a size of its own to PyTorch
_CHECKED = (1, 3)
_LARGEST = 4096  # images at once
_MOST_IN_ONE = 1_900_000_000  # bytes; protocol buffers end at 2 GiB

Arrays = dict[str, npt.NDArray[Any]]
Answer = Callable[[Arrays], list[npt.NDArray[Any]]]


class Graph(nn.Module):
    """All that a `Predictor` does, as a module; of objects those of one image, as `OBJECTS`.

    Args:
        predictor: On the CPU, in float32.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.model = predictor.model
        self._predictor = predictor

    def forward(
        self, images: Tensor, dates: Tensor | None = None, places: Tensor | None = None
    ) -> Any:
        """See `Predictor.predict`."""
        context = None if dates is None and places is None else Context(dates, places)
        found = self._predictor.meaning(self._predictor.outputs(images, context), images)
        if isinstance(found, Tensor):
            return found
        return tuple(found[0][name] for name in OBJECTS if name in found[0])


def context_of(given: Mapping[str, Tensor]) -> Context | None:
    """What inputs tell beside images."""
    dates, places = given.get("dates"), given.get("places")
    return None if dates is None and places is None else Context(dates, places)


def inputs_of(predictor: Predictor, count: int, seed: int = 0) -> dict[str, Tensor]:
    """Images, dates and places such as the model may be given: drawn about the bands' means."""
    described, info = predictor.description, predictor.description.info
    generator = torch.Generator().manual_seed(seed)
    frames = (info.frames,) if info.frames > 1 else ()
    shape = (count, len(described.bands), *frames, *predictor.size)
    means = torch.tensor(described.means).view(1, -1, *[1] * (len(shape) - 2))
    spread = torch.rand(shape, generator=generator)
    given = {"images": (means * (0.5 + spread) + 0.1 * (spread - 0.5)).float()}
    if described.dates:
        days = torch.randint(1, 366, (count, info.frames), generator=generator).float()
        given["dates"] = torch.stack([torch.full_like(days, 2020.0), days], dim=-1)
    if described.places:
        given["places"] = 60 * torch.rand(count, 2, generator=generator)
    return given


def exported(predictor: Predictor) -> ExportedProgram:
    """The model's graph, for any number of images.

    Args:
        predictor: On the CPU, in float32.

    Raises:
        WorkError: PyTorch cannot export it; it says why.
    """
    if predictor.target.gives == "objects":
        what = "torch.export cannot take what finds any number of objects"
        raise WorkError(f"{what}: there is {ONNX_FILE}, or iterate.load_model")
    graph = Graph(predictor).eval().requires_grad_(False)
    given = inputs_of(predictor, _TRACED)
    batch = Dim("batch", min=1, max=_LARGEST)
    shapes: dict[str, Any] = {name: {0: batch} for name in given}
    with _quiet(), torch.no_grad():
        try:
            made = torch.export.export(graph, (), given, dynamic_shapes=shapes, strict=False)
        except Exception as error:  # whatever an operation of it raises under export
            raise WorkError(f"torch.export cannot take this model: {first_line(error)}") from error
    strip_program(made)
    return made


def write_program(program: ExportedProgram, folder: Path) -> Path:
    """Write it for ``torch.export.load``, and tell where it is."""
    path = folder / PROGRAM_FILE
    with _quiet(), replacing(path, _bytes(program)) as part:
        torch.export.save(program, part)
    return path


def write_onnx(program: ExportedProgram, folder: Path, *, as_kept: bool = False) -> None:
    """Write a graph as ONNX.

    Args:
        program: The graph.
        folder: Where to.
        as_kept: Leave the weights the numbers that they are: no normalisation is folded into
            those of the convolution before it.

    Raises:
        WorkError: The exporter of ONNX is not installed, or cannot take an operation of it.
    """
    need_onnx()
    with _quiet():
        try:
            made = torch.onnx.export(
                program, dynamo=True, output_names=[OUTPUT], optimize=not as_kept, verbose=False
            )
        except Exception as error:  # the exporter's own errors are of many types
            raise WorkError(f"ONNX cannot take this model: {first_line(error)}") from error
        assert made is not None  # noqa: S101 - the exporter by programs returns one
        strip_onnx(made.model)
        path, needed = folder / ONNX_FILE, _bytes(program)
        if needed > _MOST_IN_ONE:  # the graph names the file of its weights, which keeps its name
            made.save(path, external_data=True)
            return
        with replacing(path, needed) as part:
            made.save(part)


def write_objects_onnx(predictor: Predictor, folder: Path) -> None:
    """Write the graph of a model that finds objects as ONNX: of one image, any number of objects.

    By PyTorch's exporter of traces, to which torchvision's detectors are fitted.

    Raises:
        WorkError: The exporter of ONNX is not installed, or cannot take an operation of it.
    """
    need_onnx()
    graph, given = Graph(predictor).eval(), inputs_of(predictor, 1)
    with _quiet(), torch.no_grad():
        try:
            names = OBJECTS[: len(graph(**given))]
            torch.onnx.export(
                graph,
                (*(given.get(name) for name in INPUTS),),
                str(folder / ONNX_FILE),
                dynamo=False,
                input_names=list(given),
                output_names=list(names),
                dynamic_axes={name: {0: "objects"} for name in names},
            )
        except Exception as error:  # the exporter's own errors are of many types
            raise WorkError(f"ONNX cannot take this model: {first_line(error)}") from error


def need_onnx() -> None:
    """Raises WorkError where what ONNX takes is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        hint = "pip install 'geo-iterate[export]'"
        raise WorkError(f"ONNX takes {error.name}, which is not installed: {hint}") from None


def of_predictor(predictor: Predictor) -> Answer:
    """What a model itself answers."""
    graph = Graph(predictor).eval()

    def answer(given: Arrays) -> list[npt.NDArray[Any]]:
        with torch.inference_mode():
            found = graph(**{name: torch.from_numpy(each) for name, each in given.items()})
        return [each.numpy() for each in ([found] if isinstance(found, Tensor) else found)]

    return answer


def of_program_file(path: Path) -> Answer:
    """What a program of torch.export in a file answers."""
    with _quiet():
        module = torch.export.load(path).module()

    def answer(given: Arrays) -> list[npt.NDArray[Any]]:
        with torch.no_grad():
            found = module(**{name: torch.from_numpy(each) for name, each in given.items()})
        return [each.numpy() for each in ([found] if isinstance(found, Tensor) else found)]

    return answer


def of_onnx(path: Path, threads: int | None = None) -> Answer:
    """What an ONNX file answers under onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def answer(given: Arrays) -> list[npt.NDArray[Any]]:
        return [np.asarray(each) for each in session.run(None, given)]

    return answer


def difference(predictor: Predictor, answer: Answer) -> float:
    """How far a graph's numbers are from the model's, at other numbers of images than its own.

    Returns:
        The largest difference over the larger of 1 and the largest number that the model gives.

    Raises:
        WorkError: It takes no such images, or gives another number of numbers.
    """
    graph = Graph(predictor).eval()
    apart = 0.0
    single = predictor.target.gives == "objects"
    for seed, count in enumerate(_CHECKED, start=1):
        given = inputs_of(predictor, 1 if single else count, seed)
        with torch.inference_mode():
            wanted = graph(**given)
        expected = [wanted] if isinstance(wanted, Tensor) else list(wanted)
        try:
            found = answer({name: each.numpy() for name, each in given.items()})
        except Exception as error:  # the runtime's own errors are of many types
            what = f"the graph does not take {count} images: {first_line(error)}"
            raise WorkError(what) from error
        for one, other in zip(expected, found, strict=True):
            if tuple(one.shape) != other.shape:
                what = f"the graph gives {other.shape} where the model gives {tuple(one.shape)}"
                raise WorkError(what)
            if other.size:
                scale = max(1.0, float(one.abs().max()))
                apart = max(apart, float(np.abs(one.numpy() - other).max()) / scale)
    return apart


def check(predictor: Predictor, answer: Answer) -> float:
    """The `difference`, which may be no more than `TOLERANCE`.

    Raises:
        WorkError: It is more.
    """
    apart = difference(predictor, answer)
    if not apart <= TOLERANCE:
        what = f"its numbers are {apart:.2g} from the model's, which is more than {TOLERANCE:g}"
        raise WorkError(what)
    return apart


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _bytes(program: ExportedProgram) -> int:
    return sum(value.nbytes for value in program.state_dict.values())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters say to developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
