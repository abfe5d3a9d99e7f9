"""What a study cost, and what it was made with."""

from __future__ import annotations

from contextlib import suppress

from iterate.reporting.figures import (
    NOT_KNOWN,
    NOT_MEASURED,
    bytes_text,
    count_text,
    percent,
    seconds_text,
)
from iterate.reporting.sections.scores import Facts
from iterate.reporting.studied import Studied
from iterate.run.energy import energy_of
from iterate_core.errors import IterateError
from iterate_core.plurals import counted


def cost(study: Studied) -> Facts:
    """Time, parameters and operations; what nobody measured is said to be so."""
    of_run = "" if study.alone else f" (all {len(study.whole['studies'])} studies of the run)"
    return [
        (f"Wall time{of_run}", seconds_text(study.whole["wall_seconds"])),
        (f"Worker time{of_run}", seconds_text(study.whole["worker_seconds"])),
        (f"Training time{of_run}", seconds_text(study.whole["train_seconds"])),
        ("Time with a worker at it", seconds_text(study.told.get("worked_seconds"))),
        ("Training a trial", _each(study, "trial")),
        ("Training a repeat", _each(study, "repeat")),
        ("Parameters", _parameters(study)),
        *_operations(study),
        ("Trained on", _devices(study)),
        ("Energy", _energy(study)),
        ("Peak memory", NOT_MEASURED),
    ]


def training_seconds(study: Studied) -> float | None:
    """What all trainings of a study took; None where its storage is not at hand."""
    if study.past is None:
        return None
    return float(sum(t.train_seconds for t in (*study.past.trials, *study.past.repeats)))


def made_with(study: Studied) -> Facts:
    """Hardware and versions."""
    found = study.environment
    if not found:
        return [("Environment", NOT_KNOWN)]
    cpu, system = found.get("cpu") or {}, found.get("system") or {}
    cores = cpu.get("usable_cores") or cpu.get("cores")
    gpus = (
        [f"{one.get('name')} ({bytes_text(one.get('memory_bytes'))})" for one in found["gpus"]]
        if found.get("gpus")
        else []
    )
    git = found.get("git") or {}
    threads = (found.get("threads") or {}).get(study.told["name"])
    facts = [
        ("iterate", str(found.get("iterate", NOT_KNOWN))),
        ("Python", str(found.get("python", NOT_KNOWN))),
        ("System", f"{system.get('name')} {system.get('release')}, {system.get('machine')}"),
        ("CPU", f"{cpu.get('model') or NOT_KNOWN}, {cores} cores usable"),
        ("Memory of the machine", bytes_text(found.get("memory_bytes"))),
        ("GPUs", ", ".join(gpus) or "none"),
    ]
    if threads:
        facts.append(("Threads of a training", ", ".join(map(str, threads))))
    if git.get("commit"):
        changed = ", with changes" if git.get("dirty") or git.get("patch") else ""
        facts.append(("Commit", f"{git['commit']}{changed}"))
    packages = found.get("packages") or {}
    facts.append(("Packages", ", ".join(f"{name} {version}" for name, version in packages.items())))
    return facts


def _each(study: Studied, kind: str) -> str:
    """Training time of one, on average; a group's heads train together and count apart."""
    if study.past is None:
        return NOT_KNOWN
    views = study.past.trials if kind == "trial" else study.past.repeats
    seconds = [view.train_seconds for view in views if view.epochs()]
    epochs = sum(len(view.epochs()) for view in views)
    if not seconds:
        return NOT_KNOWN
    mean = sum(seconds) / len(seconds)
    over = f"mean of {len(seconds)}, {seconds_text(sum(seconds) / epochs)} an epoch"
    return f"{seconds_text(mean)} ({over})"


def _parameters(study: Studied) -> str:
    counts = None if study.best is None else study.best.get("parameters")
    if counts is None:
        return NOT_KNOWN
    trained, total = counts["trained"], counts["total"]
    share = percent(trained / total, 1) if total else ""
    return f"{count_text(trained)} trained of {count_text(total)} ({share})"


def _operations(study: Studied) -> Facts:
    """Counted on the model's outline: neither data nor weights are needed."""
    from iterate_core.engine.cost import epoch_flops, image_flops
    from iterate_core.inference.described import described

    epoch = image = None
    with suppress(IterateError):
        if study.description is not None:
            prepared = described(study.description)
            epoch, image = epoch_flops(prepared), image_flops(prepared)
    how = " (matrix products and convolutions; counted, not measured)"
    return [
        ("FLOPs of an epoch", NOT_KNOWN if epoch is None else count_text(epoch) + how),
        ("FLOPs of an image predicted", NOT_KNOWN if image is None else count_text(image)),
    ]


def _energy(study: Studied) -> str:
    """Of the machine while it worked on the run, as far as its hardware counted."""
    sessions = energy_of(study.run)
    seconds = sum(one.get("seconds", 0.0) for one in sessions)
    told = [
        f"{joules / 3600:.3g} Wh {of}"
        for key, of in (("cpu_joules", "processors"), ("gpu_joules", "GPUs"))
        if (joules := sum(one.get(key, 0.0) for one in sessions)) > 0
    ]
    if not told:
        return NOT_MEASURED
    return f"{', '.join(told)} (the whole machine, in {seconds_text(seconds)} of work on the run)"


def _devices(study: Studied) -> str:
    if study.past is None:
        return NOT_KNOWN
    names = sorted({t.device for t in (*study.past.trials, *study.past.repeats) if t.device})
    threads = sorted({t.threads for t in study.past.trials if t.threads})
    with_ = f", {counted(threads[0], 'thread')}" if len(threads) == 1 else ""
    return (", ".join(names) or NOT_KNOWN) + with_
