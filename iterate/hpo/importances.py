"""What the objective depended on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from iterate.hpo.ledger import Ledger

_FEWEST = 4


@dataclass(frozen=True)
class Searched:
    """What a study has tried, without its storage: another process can be given it.

    Attributes:
        trials: As Optuna has them, those that finished.
        direction: Of the objective.
    """

    trials: tuple[FrozenTrial, ...]
    direction: StudyDirection

    @classmethod
    def of(cls, ledger: Ledger) -> Searched:
        """What a ledger's study has tried so far."""
        study = ledger.optuna_studies["trial"]
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return cls(tuple(complete), study.direction)

    def importances(self) -> dict[str, float]:
        """How much of the objective's spread each parameter explains (PED-ANOVA, Watanabe 2023).

        Optuna imports scikit-learn for it: ask where there is a second to spare.

        Returns:
            By parameter. Empty where there is too little to tell: fewer than four finished trials,
            no better ones among them, or no parameter that all of them share and that varies.
        """
        if len(self.trials) < _FEWEST:
            return {}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction=self.direction)
        study.add_trials(self.trials)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("error", "Target and region quantiles", UserWarning)
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            try:
                return optuna.importance.get_param_importances(study, evaluator=evaluator)
            except (RuntimeError, ValueError, UserWarning):
                return {}
