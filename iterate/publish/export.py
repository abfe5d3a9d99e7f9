"""From a trained model to a folder that needs nothing else."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from iterate.publish.assembling import assembled, check_free
from iterate.publish.card import write_card, write_config
from iterate.publish.figures import METRICS_FILE, figures_of
from iterate.run.models import Found, find_model
from iterate_core.errors import IterateError, MachineError, WorkError
from iterate_core.storage.files import write_json
from iterate_core.tasks.metrics import as_json

if TYPE_CHECKING:
    from iterate_core.engine.description import ModelDescription
    from iterate_core.engine.resolved import Prepared
    from iterate_core.inference.predictor import Predictor

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ExportRequest:
    """What is to be exported, and how.

    Attributes:
        model: The path of a run, a study, a trial, a repeat, a fit or an exported model.
        to: The folder to write.
        overwrite: Whether an exported model that is there is replaced.
        onnx: Whether there is to be an ONNX graph; None tries, and tells where it cannot be.
        torch_export: Whether there is to be a program of torch.export; likewise.
        fp16: Whether weights are kept in half the bytes.
        int8: Whether there is to be an ONNX graph in 8-bit integers too.
        licence: Under which the model is given away; None takes that of the backbone's weights.
    """

    model: Path
    to: Path
    overwrite: bool = False
    onnx: bool | None = None
    torch_export: bool | None = None
    fp16: bool = False
    int8: bool = False
    licence: str | None = None


@dataclass
class Exported:
    """What was exported.

    Attributes:
        folder: Where to.
        source: The training's folder.
        metrics: The content of its ``metrics.json``.
        failures: What was asked for and could not be made, and why, by its file's name.
        left_out: What was tried unasked, likewise.
        no_data: Why the training data were not at hand, where they were wanted and were not.
    """

    folder: Path
    source: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    no_data: str | None = None


def export_model(request: ExportRequest, tell: Tell = lambda _: None) -> Exported:
    """Write a trained model as a folder that is all that is needed to use it.

    Args:
        request: What and how.
        tell: Hears what is being done.

    Raises:
        RequestError: There is no such model, its backbone's weights are not at hand, or the folder
            is taken.
        WorkError: The merged model does not give what the trained one gave.
    """
    check_free(request.to, overwrite=request.overwrite)
    found = find_model(request.model)
    done = Exported(request.to, found.folder)
    with assembled(request.to) as part:
        _Export(request, found, done, part, tell).run()
    return done


class _Export:
    """One export at work."""

    def __init__(
        self, request: ExportRequest, found: Found, done: Exported, part: Path, tell: Tell
    ) -> None:
        from iterate_core.engine.description import read_description
        from iterate_core.inference.export.merged import merged

        self.request, self.found, self.done, self.part = request, found, done, part
        self.tell = tell
        tell(f"reading {found.folder}")
        self.trained = read_description(found.folder)
        self.description, self.weights = merged(found.folder)
        self.metrics = done.metrics
        self.metrics.update(figures_of(found, self.trained.recipe))
        if found.study is not None and found.summary is None and not found.named:
            self.metrics["search_unfinished"] = True
        self._data: Prepared | str | None = None
        self._full: dict[str, float | None] | None = None

    def run(self) -> None:
        from iterate_core.inference.export.digests import write_sums
        from iterate_core.inference.export.merged import write_weights

        whole = self._whole = self._predictor(self.weights)
        self._check_merged(whole)
        self.description.write(self.part)
        write_weights(self.part, self.weights, half=self.request.fp16)
        kept = self._halved() if self.request.fp16 else whole
        self._graphs(kept)
        self._write_recipe()
        write_config(self.part, self.description)
        write_json(self.part / METRICS_FILE, self.metrics)
        write_card(self.part, self.description, self.metrics, self.request.licence)
        write_sums(self.part)

    def _predictor(self, weights: Any, description: ModelDescription | None = None) -> Predictor:
        from iterate_core.inference.predictor import Predictor

        described = description or self.description
        return Predictor(described, weights, accelerator="cpu", precision="32-true")

    def _check_merged(self, whole: Predictor) -> None:
        """Compare with the model as it was trained.

        Raises:
            WorkError: They differ.
        """
        from iterate_core.inference.export.graph import TOLERANCE, difference, of_predictor
        from iterate_core.inference.predictor import load_model

        if self.trained.merged:
            return
        before = load_model(self.found.folder, accelerator="cpu", precision="32-true")
        apart = difference(before, of_predictor(whole))
        if not apart <= TOLERANCE:
            what = f"the merged model's numbers are {apart:.2g} from the trained one's"
            raise WorkError(f"{self.found.folder}: {what}. Its tuning cannot be merged.")
        self.metrics["merged"] = {"difference": apart}

    def _halved(self) -> Predictor:
        from iterate_core.inference.export.merged import halved

        kept = self._predictor(halved(self.weights))
        self._measure("fp16", kept.predict)
        return kept

    def _graphs(self, kept: Predictor) -> None:
        from iterate_core.inference.export import graph

        request = self.request
        wanted = {
            graph.PROGRAM_FILE: request.torch_export,
            graph.ONNX_FILE: True if request.int8 and request.onnx is None else request.onnx,
        }
        if all(each is False for each in wanted.values()) and not request.int8:
            return
        self.tell("tracing the graph")
        program = self._traced(kept, wanted)
        if program is not None and wanted[graph.PROGRAM_FILE] is not False:
            self._graph(graph.PROGRAM_FILE, wanted, kept, lambda: self._program(program))
        if wanted[graph.ONNX_FILE] is not False:
            if kept.target.gives == "objects":
                self._graph(graph.ONNX_FILE, wanted, kept, lambda: self._objects_onnx(kept))
            elif program is not None:
                self._graph(graph.ONNX_FILE, wanted, kept, lambda: self._onnx(program))
        if request.int8:
            self._int8()

    def _traced(self, kept: Predictor, wanted: dict[str, bool | None]) -> Any:
        """The model's program, of which graphs are made; None where there can be none."""
        from iterate_core.inference.export import graph

        try:
            return graph.exported(kept)
        except WorkError as error:
            without = {graph.ONNX_FILE} if kept.target.gives == "objects" else set()
            for name in wanted.keys() - without:
                if wanted[name] is not False:
                    self._failed(name, wanted[name], error)
            return None

    def _graph(
        self, name: str, wanted: dict[str, bool | None], kept: Predictor, make: Callable[[], Any]
    ) -> None:
        """Make a graph and compare it with the model; one that is not equal is not kept."""
        from iterate_core.inference.export.graph import check

        self.tell(f"writing {name}")
        try:
            apart = check(kept, make())
        except MachineError:
            raise
        except WorkError as error:
            for file in self.part.glob(f"{name}*"):
                file.unlink()
            self._failed(name, wanted[name], error)
        else:
            self.metrics.setdefault("graphs", {})[name] = {"difference": apart}

    def _program(self, program: Any) -> Any:
        from iterate_core.inference.export.graph import of_program_file, write_program

        return of_program_file(write_program(program, self.part))

    def _onnx(self, program: Any) -> Any:
        from iterate_core.inference.export.graph import ONNX_FILE, of_onnx, write_onnx
        from iterate_core.inference.export.reduced import write_half

        write_onnx(program, self.part, as_kept=self.request.fp16)
        path = self.part / ONNX_FILE
        if self.request.fp16:
            write_half(path, path)
        return of_onnx(path)

    def _objects_onnx(self, kept: Predictor) -> Any:
        from iterate_core.inference.export.graph import ONNX_FILE, of_onnx, write_objects_onnx

        write_objects_onnx(kept, self.part)
        return of_onnx(self.part / ONNX_FILE)

    @contextmanager
    def _full_onnx(self) -> Iterator[Path]:
        """The ONNX graph with weights as they were trained.

        Raises:
            WorkError: There is none.
        """
        from iterate_core.inference.export import graph

        if not self.request.fp16:
            source = self.part / graph.ONNX_FILE
            if not source.is_file():
                raise WorkError(f"it is made of {graph.ONNX_FILE}, which there is not")
            yield source
            return
        with tempfile.TemporaryDirectory() as folder:
            graph.write_onnx(graph.exported(self._whole), Path(folder))
            yield Path(folder) / graph.ONNX_FILE

    def _int8(self) -> None:
        from iterate_core.inference.export import graph, reduced, scores

        target = self.part / reduced.INT8_FILE
        if self._whole.target.gives == "objects":
            what = "the score of a detector's graph is not measured, so none is made of integers"
            self._failed(target.name, True, WorkError(what))
            return
        self.tell(f"writing {target.name}")
        names = tuple(graph.inputs_of(self._whole, 1))
        data = self._at_hand()
        samples = None
        if not isinstance(data, str):
            samples = scores.calibration(data, names, reduced.CALIBRATED)
        try:
            with self._full_onnx() as source:
                if not reduced.write_int8(source, target, samples):
                    raise WorkError(f"its layers take training data to be quantised, and {data}")
        except MachineError:
            raise
        except WorkError as error:
            target.unlink(missing_ok=True)
            self._failed(target.name, True, error)
            return
        answer = graph.of_onnx(target)
        self._measure("int8", scores.by_answer(answer, names))
        self.metrics["reduced"]["int8"]["difference"] = graph.difference(self._whole, answer)
        self.metrics["reduced"]["int8"]["calibrated"] = samples is not None

    def _measure(self, kind: str, reduced: Any) -> None:
        """Score the test split with the full and with the reduced model."""
        from iterate_core.inference.export.scores import scores_of

        told: dict[str, Any] = {}
        self.metrics.setdefault("reduced", {})[kind] = told
        data = self._at_hand()
        if isinstance(data, str):
            told["unmeasured"] = data
            return
        self.tell(f"scoring the test split, as it was and as {kind}")
        if self._full is None:
            self._full = as_json(scores_of(data, self._whole.predict))
        told["full"], told["reduced"] = self._full, as_json(scores_of(data, reduced))

    def _at_hand(self) -> Prepared | str:
        """The data that the model was trained on; a sentence where they are not here."""
        if self._data is None:
            self._data = self._found_data()
        return self._data

    def _found_data(self) -> Prepared | str:
        from iterate_core.engine.resolved import prepare
        from iterate_core.recipe import Recipe

        if self.trained.merged:
            return "an exported model does not know where its training data are"
        try:
            prepared = prepare(Recipe.parse(self.trained.recipe))
            if prepared.identity != self.trained.identity:
                return "the training data, or this version, are others than it was trained with"
            prepared.pack.names("test")
        except IterateError as error:
            told = "the training data were not at hand"
            self.done.no_data = f"{told} ({str(error).splitlines()[0]})"
            return told
        return prepared

    def _failed(self, name: str, asked: bool | None, error: WorkError) -> None:
        from iterate_core.inference.export.anonymous import without_folders

        told = self.done.left_out if asked is None else self.done.failures
        told[name] = str(error)
        self.metrics.setdefault("left_out", {})[name] = without_folders(str(error))

    def _write_recipe(self) -> None:
        text = yaml.safe_dump(
            json.loads(json.dumps(self.description.recipe)), sort_keys=False, allow_unicode=True
        )
        opening = "# iterate fit recipe.yaml data.root=FOLDER\n# How this model was trained.\n"
        (self.part / "recipe.yaml").write_text(opening + text, encoding="utf-8")
