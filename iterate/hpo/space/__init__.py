"""What varies in a study: dimensions, the tree they stand in, and their text.

`iterate.hpo.space.optuna` asks Optuna for points of a space; it is not imported here, because
expanding a space needs no Optuna.
"""

from iterate.hpo.space.dimension import Categorical, Dimension, Float, Int, Value
from iterate.hpo.space.text import to_overrides
from iterate.hpo.space.tree import Condition, Parameter, Point, Space

__all__ = [
    "Categorical",
    "Condition",
    "Dimension",
    "Float",
    "Int",
    "Parameter",
    "Point",
    "Space",
    "Value",
    "to_overrides",
]
