"""An exported model as MLflow's: what ``mlflow models serve`` loads, and the model registry.

MLflow finds `_load_pyfunc` by the module's name, which it writes beside the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from iterate.tracking.logging import quiet_thread, set_defaults
from iterate.tracking.store import Place, open_store
from iterate_core import __version__
from iterate_core.errors import Problem, RequestError, WorkError
from iterate_core.secrets import without_passwords

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from iterate_core.inference.predictor import Predictor

# MLflow sets these where its functions are told a store, for processes that it starts.
_TOLD_CHILDREN = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")

Arrays = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Registered:
    """A version of a model in MLflow's registry.

    Attributes:
        name: Of the model.
        version: Its number.
        uri: By which ``mlflow models serve -m`` finds it.
        store: Where the registry is, without a password.
    """

    name: str
    version: int
    uri: str
    store: str


class Served:
    """An exported model as MLflow calls it.

    Args:
        predictor: The model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """What the model says of images; see `iterate_core.inference.predictor.Predictor.predict`.

        Args:
            model_input: ``images``, and where the model was told them ``dates`` and ``places``, by
                name; or images alone.
            params: None are known.

        Returns:
            Float32 numbers; of objects a list of dictionaries of lists.
        """
        from iterate_core.inference.export.arrays import predicted

        del params
        given = model_input if isinstance(model_input, Mapping) else {"images": model_input}
        try:
            arrays = {name: np.asarray(one) for name, one in given.items()}
            return predicted(self._predictor, arrays)
        except RequestError as error:
            from mlflow.exceptions import MlflowException

            # By this code its server answers 400, with the sentence alone.
            raise MlflowException.invalid_parameter_value(str(error)) from error


def _load_pyfunc(path: str) -> Served:
    """The model in an exported folder, for MLflow."""
    from iterate_core.inference.predictor import load_model

    return Served(load_model(path))


def check_registry(name: str, where: Place) -> None:
    """Ask early what `register` would find out late.

    Args:
        name: As for `register`.
        where: The tracking store; a server is asked for an answer.

    Raises:
        RequestError: MLflow does not take the name.
        WorkError: The store does not answer.
    """
    set_defaults()
    with quiet_thread():
        from mlflow.exceptions import MlflowException
        from mlflow.utils.validation import _validate_model_name

        try:
            _validate_model_name(name)
        except MlflowException as error:
            told = str(error).splitlines()[0]
            raise RequestError(Problem("--mlflow", f"MLflow refuses: {told}")) from error
        try:
            with redirect_stderr(StringIO()):
                open_store(where).search_registered_models(max_results=1)
        except Exception as error:  # of MLflow, of a database's driver, of the network
            told = without_passwords(
                str(error).strip().splitlines()[0] if str(error) else type(error).__name__
            )
            raise WorkError(f"MLflow at {where.shown} does not answer: {told}") from error


def register(folder: Path, name: str, where: Place) -> Registered:
    """Make an exported model a new version of a model in MLflow's registry.

    Args:
        folder: The exported model.
        name: In the registry.
        where: The tracking store whose registry it is.

    Raises:
        RequestError: MLflow does not take the name.
        WorkError: The store does not answer.
    """
    set_defaults()
    with quiet_thread(), _store(where):
        import mlflow
        from mlflow.exceptions import MlflowException

        try:
            with mlflow.start_run(experiment_id=_experiment(name, where), run_name="export"):
                mlflow.set_tag("iterate.kind", "export")
                logged = mlflow.pyfunc.log_model(
                    name="model",
                    loader_module=__name__,
                    data_path=str(folder),
                    registered_model_name=name,
                    pip_requirements=[f"geo-iterate=={__version__}"],
                    **_interface(folder),
                )
        except MlflowException as error:
            told = str(error).splitlines()[0]
            if error.error_code == "INVALID_PARAMETER_VALUE":
                raise RequestError(Problem("--mlflow", f"MLflow refuses: {told}")) from error
            raise WorkError(f"MLflow at {where.shown} does not take the model: {told}") from error
    version = int(logged.registered_model_version or 0)
    return Registered(name, version, f"models:/{name}/{version}", where.shown)


def _experiment(name: str, where: Place) -> str:
    """The experiment of a name, made if it is missing, with its files where the store's are."""
    import mlflow

    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(mlflow.create_experiment(name, where.artifacts))


def save(folder: Path, to: Path) -> None:
    """Write an exported model as an MLflow model, without a registry."""
    set_defaults()
    with quiet_thread():
        import mlflow

        mlflow.pyfunc.save_model(
            path=str(to),
            loader_module=__name__,
            data_path=str(folder),
            pip_requirements=[f"geo-iterate=={__version__}"],
            **_interface(folder),
        )


def _interface(folder: Path) -> dict[str, Any]:
    """The signature of an exported model, and an input that it takes."""
    from iterate_core.inference.export.arrays import example, predicted
    from iterate_core.inference.predictor import load_model

    predictor = load_model(folder, accelerator="cpu")
    given = example(predictor)
    return {"input_example": given, "signature": _signature(given, predicted(predictor, given))}


def _signature(given: Arrays, answer: Any) -> ModelSignature:
    """Names, types and shapes of what goes in and out, for any number of images."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    inputs: list[Any] = [
        TensorSpec(one.dtype, (-1, *one.shape[1:]), name) for name, one in given.items()
    ]
    outputs = None
    if isinstance(answer, np.ndarray):
        outputs = Schema([TensorSpec(answer.dtype, (-1, *answer.shape[1:]))])
    return ModelSignature(Schema(inputs), outputs)


@contextmanager
def _store(where: Place) -> Iterator[None]:
    """Let MLflow's functions without a client speak to a store, as long as the block lasts."""
    import mlflow

    open_store(where)
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    told = {name: os.environ.get(name) for name in _TOLD_CHILDREN}
    try:
        mlflow.set_tracking_uri(where.uri)
        mlflow.set_registry_uri(where.uri)
        # What it says there of each of its steps it prints, past its own logging.
        with redirect_stderr(StringIO()):
            yield
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
        for name, value in told.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
