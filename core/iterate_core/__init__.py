"""The fine-tuning engine: usable alone; knows nothing of Ray, Optuna, MLflow or Hydra."""

from importlib.metadata import version

__version__ = version("geo-iterate")
