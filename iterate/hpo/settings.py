"""What a study asks of its search: sampler, scheduler, budget and resources. Light to import."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, field_validator

from iterate_core.registry.options import Component, Section
from iterate_core.registry.parsing import Chosen, parse
from iterate_core.registry.registry import Entry, Registry

Positive = Annotated[int, Field(gt=0)]
Counted = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class TPE(Component):
    """Tree-structured Parzen estimator, multivariate, with constant liar: the all-round choice.

    Attributes:
        startup_trials: Trials drawn at random before the model is asked.
    """

    name: str = "tpe"
    startup_trials: Counted = 10


class Random(Component):
    """Independent uniform draws: the honest baseline, and parallel without limit."""

    name: str = "random"


class Grid(Component):
    """Every point of a finite space, each once."""

    name: str = "grid"


class QMC(Component):
    """A scrambled Sobol sequence: covers the space more evenly than random draws."""

    name: str = "qmc"


class CMAES(Component):
    """Covariance matrix adaptation: for continuous spaces and some hundred trials."""

    name: str = "cmaes"


class GP(Component):
    """A Gaussian process: few, dear trials over a few dimensions.

    Attributes:
        startup_trials: Trials drawn at random before the model is asked.
    """

    name: str = "gp"
    startup_trials: Counted = 10


class NSGAII(Component):
    """A genetic algorithm: many cheap trials over many choices.

    Attributes:
        population: Trials of a generation.
    """

    name: str = "nsgaii"
    population: Annotated[int, Field(ge=2)] = 50


class NoScheduler(Component):
    """Every trial trains to its end."""

    name: str = "none"


class ASHA(Component):
    """Asynchronous successive halving: at each rung the best share goes on.

    Attributes:
        min_epochs: The first rung; no trial is judged before.
        reduction_factor: One trial in so many passes a rung; rungs lie this factor apart.
    """

    name: str = "asha"
    min_epochs: Positive = 1
    reduction_factor: Annotated[int, Field(ge=2)] = 3


class Hyperband(Component):
    """Several ASHA brackets that begin to judge earlier or later.

    Attributes:
        min_epochs: The first rung of the earliest bracket.
        reduction_factor: One trial in so many passes a rung.
    """

    name: str = "hyperband"
    min_epochs: Positive = 1
    reduction_factor: Annotated[int, Field(ge=2)] = 3


class Median(Component):
    """Stops a trial whose best value is worse than the median of the others at that epoch.

    Attributes:
        startup_trials: Trials that must have finished before any is judged.
        warmup_epochs: Epochs in which no trial is judged.
    """

    name: str = "median"
    startup_trials: Counted = 5
    warmup_epochs: Counted = 1


def register_samplers(samplers: Registry) -> None:
    """Add every sampler that ships.

    A target makes Optuna's own: (options, `iterate.hpo.samplers.Seeds`) → a sampler. The fact
    ``together`` says how many points may be drawn before the first of them has a result, where
    that is more than one: so many heads then train together; see `ResourceSettings`. The fact
    ``independent`` says that no point depends on results, so that a study takes every worker.
    """
    for options, maker, together, independent in (
        *((TPE, "tpe", 8, False), (Random, "random", 16, True), (QMC, "qmc", 16, True)),
        *((CMAES, "cmaes", 1, False), (GP, "gp", 1, False), (NSGAII, "nsgaii", 16, False)),
        (Grid, "random", 16, True),  # the ledger queues its points
    ):
        name = options.model_fields["name"].default
        facts = {"together": together, "independent": independent}
        samplers.register(Entry(name, options, f"iterate.hpo.samplers:{maker}", (), facts))


def register_schedulers(schedulers: Registry) -> None:
    """Add every trial scheduler that ships.

    A target makes Optuna's own: (options, the most epochs that a trial may train) → a pruner.
    """
    for options in (NoScheduler, ASHA, Hyperband, Median):
        name = options.model_fields["name"].default
        schedulers.register(Entry(name, options, f"iterate.hpo.schedulers:{name}"))


_HERE = "iterate.hpo.settings"
samplers = Registry("sampler", "iterate.samplers", f"{_HERE}:register_samplers")
schedulers = Registry("trial scheduler", "iterate.trial_schedulers", f"{_HERE}:register_schedulers")


class SearchSettings(Section):
    """How a study searches, and when it has searched enough.

    Attributes:
        sampler: Draws the points; ``tpe`` is short for ``{name: tpe}``.
        scheduler: Stops poor trials early; ``asha`` is short for ``{name: asha}``.
        trials: Trials in all, interrupted and continued runs together.
        hours: Hours of work after which no trial is started; None sets no limit. They are wall
            time in which a worker had a job of this study at least, summed over all commands that
            continue it: neither the wait for a worker, nor its cold start, nor another study's
            turn, nor checking and packing count.
        trial_hours: Training time after which a trial is ended: pruned if an epoch was finished,
            failed otherwise; None sets no limit. Repeats train to their end.
        silence_minutes: A trial or repeat without a sign of life (a batch, an epoch) for so long
            is ended and has failed; None waits for ever.
        patience: Ends the search once so many finished trials in a row did not improve the best;
            None searches on.
        repeats: Trainings of the best point with further seeds, each tested; 0 tests nothing.
        seeds: Of the first repeats, in this order; those of further ones, and of trials, follow
            from the study's name and `seed`.
        seed: Fixes, with the study's name, every point and every training.
        max_failures: If the first so many trials of this command to end all fail, for one kind of
            reason, the study stops with it. What fails for want of disk or memory counts nowhere:
            it waits.
        storage: Database URL of the Optuna storage (PostgreSQL, MySQL); None keeps a SQLite file
            in the run's folder. Each study in it has one driver at a time.
    """

    sampler: Annotated[SerializeAsAny[Component], Chosen(samplers)] = TPE()
    scheduler: Annotated[SerializeAsAny[Component], Chosen(schedulers)] = NoScheduler()
    trials: Positive = 16
    hours: Annotated[float, Field(gt=0)] | None = None
    trial_hours: Annotated[float, Field(gt=0)] | None = None
    silence_minutes: Annotated[float, Field(gt=0)] | None = 60
    patience: Positive | None = None
    repeats: Counted = 3
    seeds: tuple[Seed, ...] = ()
    seed: Seed = 0
    max_failures: Positive = 3
    storage: str | None = None

    @field_validator("sampler", "scheduler", mode="before")
    @classmethod
    def _by_name(cls, value: Any, info: Any) -> Any:
        registry = samplers if info.field_name == "sampler" else schedulers
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            options: type[Component] = registry.get(value["name"]).load_options()
            return parse(options, value)
        return value


class ResourceSettings(Section):
    """What one trial takes, and how many may run at a time.

    Attributes:
        cpu: Cores of a trial; fractions let trials share one.
        gpu: GPUs of a trial; fractions let trials share one. None takes one where the machine or
            cluster has any, and none elsewhere. ``auto`` does too, for the first trials of a study;
            after those as many share one as its memory allows and as keep it busy. A trial sees the
            GPUs it holds and no other.
        concurrent: Most trials at a time; None takes as many as the cluster holds.
        together: Most trials whose heads one worker trains as one computation, where they decode
            the same kept features (see `iterate_core.engine.together.key`); 1 trains each alone.
            Their points are drawn without knowing each other's results. None takes as many as suit
            the sampler (16 for those that learn nothing from results, 8 for ``tpe``, 1 for ``gp``
            and ``cmaes``), and no more than leave every worker some.
    """

    cpu: Annotated[float, Field(gt=0)] = 1
    gpu: Annotated[float, Field(ge=0)] | Literal["auto"] | None = None
    concurrent: Positive | None = None
    together: Positive | None = None


class RaySettings(Section):
    """Where the pool runs.

    Attributes:
        address: Of a running Ray cluster (``auto``, ``ray://host:10001``), or ``local`` for a Ray
            of its own on this machine. None takes the Ray that this process has joined, as a
            notebook may; else this machine, without Ray where workers can be forked (on Linux).
    """

    address: str | None = None

    @property
    def here(self) -> bool:
        """Whether trials run on this machine."""
        return self.address in (None, "local")
