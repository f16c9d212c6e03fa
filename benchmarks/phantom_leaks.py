"""Can a finding of the phantom be told from global image statistics? It must not: then a map could not point at it.

A ridge-penalised logistic regression on moments, percentiles and the histogram of the stored values, cross-validated.

Usage: ``python benchmarks/phantom_leaks.py [--studies 2000] [--side 256] [--seed 1]``
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from medaudit.metrics.ranking import auc
from medaudit.phantom.cohort import draw_cohort
from medaudit.phantom.devices import DeviceKind
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.study import StudySpec, render

LIMIT = 0.60
LARGE_EFFUSION_LIMIT = 0.70
FOLDS = 5
PENALTIES = (3.0, 30.0, 300.0)
HISTOGRAM_BINS = 32


def statistics(spec: StudySpec, side: int) -> NDArray[np.float64]:
    """Moments, percentiles and histogram of one picture, brighter meaning more attenuation."""
    pixels = render(spec, side).pixels.astype(np.float64)
    values = 4095 - pixels if spec.vendor.inverted else pixels
    centred = (values - values.mean()) / values.std()
    moments = [values.mean(), values.std(), (centred**3).mean(), (centred**4).mean()]
    percentiles = np.percentile(values, (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99))
    histogram = np.histogram(values, bins=HISTOGRAM_BINS, range=(0, 4096))[0] / values.size
    return np.concatenate([moments, percentiles, histogram, np.log(histogram + 1e-4)])


def fit(features: NDArray[np.float64], truth: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Weights of a logistic regression by Newton's method; the last is the intercept, which is not penalised."""
    design = np.hstack([features, np.ones((len(features), 1))])
    ridge = np.diag([penalty] * features.shape[1] + [1e-9])
    weights = np.zeros(design.shape[1])
    for _ in range(25):
        probability = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (probability - truth) + ridge @ weights
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def probe(features: NDArray[np.float64], truth: NDArray[np.bool_], penalty: float) -> float:
    """Mean over the folds of the AUC on the fold that was left out."""
    rng = np.random.default_rng(0)
    fold = np.empty(len(truth), dtype=int)
    for value in (True, False):  # both classes evenly over the folds
        members = rng.permutation(np.flatnonzero(truth == value))
        fold[members] = np.arange(len(members)) % FOLDS
    scores = []
    for number in range(FOLDS):
        train, test = fold != number, fold == number
        mean, deviation = features[train].mean(axis=0), features[train].std(axis=0) + 1e-9
        weights = fit((features[train] - mean) / deviation, truth[train].astype(float), penalty)
        scores.append(auc(((features[test] - mean) / deviation) @ weights[:-1], truth[test]))
    return float(np.mean(scores))


def questions(specs: list[StudySpec]) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_], float | None]]:
    """What is asked: (which studies, which of them have it, the limit)."""
    everyone = np.ones(len(specs), dtype=bool)
    asked: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_], float | None]] = {}
    for kind in FindingKind:
        has = np.array([any(found.kind is kind for found in spec.findings) for spec in specs])
        if kind is not FindingKind.EFFUSION:
            asked[kind.value] = (everyone, has, LIMIT)
            continue
        large = np.array([any(found.kind is kind and found.large for found in spec.findings) for spec in specs])
        asked["pleural effusion, small"] = (~large, has & ~large, LIMIT)
        asked["pleural effusion, large"] = (~(has & ~large), large, LARGE_EFFUSION_LIMIT)
    for device in DeviceKind:
        asked[f"({device.value})"] = (
            everyone,
            np.array([any(one.kind is device for one in spec.devices) for spec in specs]),
            None,
        )
    return asked


def main() -> None:
    """Print the probe's AUC for every finding, and fail if one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    specs = draw_cohort(arguments.studies, arguments.seed)
    features = np.stack([statistics(spec, arguments.side) for spec in specs])
    print(f"{arguments.studies} studies, seed {arguments.seed}, {arguments.side} px, {features.shape[1]} statistics")
    print(f"{'':28}{'with it':>8}{'AUC':>8}{'limit':>8}   (the best of penalties {PENALTIES}; devices: no limit)")
    leaks = []
    for name, (asked, truth, limit) in questions(specs).items():
        best = max(probe(features[asked], truth[asked], penalty) for penalty in PENALTIES)
        print(f"{name:28}{int(truth.sum()):8d}{best:8.2f}{f'{limit:8.2f}' if limit else '       -'}")
        if limit and best > limit:
            leaks.append(name)
    if leaks:
        raise SystemExit("leaks: " + ", ".join(leaks))


if __name__ == "__main__":
    main()
