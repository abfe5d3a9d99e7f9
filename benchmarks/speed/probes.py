"""What fitting probes costs, beside scikit-learn on the same features.

    .venv/bin/python benchmarks/speed/probes.py --samples 2000 --width 1280

Features are drawn: one centre a class, correlated noise whose spread falls with its rank, as that
of networks does. The linear probe is fitted for 40 values of C between 1e-6 and 1e4, at the same
tolerance; neighbours are sought for as many samples as there are training samples. `ratio` is our
time over scikit-learn's: below 1 is faster.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from iterate_core.models.decoders.probes.knn import Knn
from iterate_core.models.decoders.probes.logistic import Logistic
from iterate_core.models.decoders.probes.options import KnnOptions, LogisticOptions

Floats = npt.NDArray[np.float32]
STRENGTHS = np.logspace(-6, 4, 40)


def drawn(samples: int, width: int, classes: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Standardised features and their classes."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, samples)
    spread = np.arange(1, width + 1) ** -0.5
    noise = rng.normal(size=(samples, width)) * spread
    centres = rng.normal(size=(classes, width)) * spread / 3
    mixed = (noise + centres[labels]) @ rng.normal(size=(width, width)) / width**0.5
    return ((mixed - mixed.mean(axis=0)) / mixed.std(axis=0)).astype(np.float32), labels


def seconds(work: Callable[[], object], device: str) -> float:
    """Wall time of one call, all of its work done."""
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def logistic(features: Floats, labels: npt.NDArray[np.int64], device: str) -> dict[str, float]:
    """All 40 fits, ours and scikit-learn's, and how often the two disagree on a sample."""
    inputs, targets = torch.from_numpy(features).to(device), torch.from_numpy(labels).to(device)
    classes = int(labels.max()) + 1
    ours = theirs = 0.0
    differing = []
    for strength in STRENGTHS:
        options = LogisticOptions(name="logistic", C=float(strength), standardise=False)
        decoder = Logistic(options, features.shape[1], classes).to(device)
        model = LogisticRegression(C=strength, max_iter=options.max_iterations)
        ours += seconds(lambda: decoder.fit(inputs, targets), device)  # noqa: B023
        theirs += seconds(lambda: model.fit(features, labels), "cpu")  # noqa: B023
        predicted = decoder(inputs).argmax(dim=1).cpu().numpy()
        differing.append(float((predicted != model.predict(features)).mean()))
    return timed(ours, theirs) | {"disagreement": max(differing)}


def neighbours(features: Floats, labels: npt.NDArray[np.int64], device: str) -> dict[str, float]:
    """The neighbours of every sample among all of them."""
    inputs, targets = torch.from_numpy(features).to(device), torch.from_numpy(labels).to(device)
    decoder = Knn(KnnOptions(name="knn"), features.shape[1], int(labels.max()) + 1).to(device)
    decoder.fit(inputs, targets)
    model = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(features, labels)
    ours = seconds(lambda: decoder(inputs), device)
    theirs = seconds(lambda: model.predict(features), "cpu")
    predicted = decoder(inputs).argmax(dim=1).cpu().numpy()
    differing = float((predicted != model.predict(features)).mean())
    return timed(ours, theirs) | {"disagreement": differing}


def timed(ours: float, theirs: float) -> dict[str, float]:
    """Both times and their ratio."""
    return {"seconds": ours, "scikit_learn_seconds": theirs, "ratio": ours / theirs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    features, labels = drawn(arguments.samples, arguments.width, arguments.classes)
    warnings.simplefilter("ignore")  # scikit-learn's, where it does not converge
    figures = vars(arguments) | {
        "threads": torch.get_num_threads(),
        "logistic_40_fits": logistic(features, labels, arguments.device),
        "knn": neighbours(features, labels, arguments.device),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
