"""Do scores go with what the reports say? Agreement with text, which is no truth and gives no accuracy."""

import math

import numpy as np
from numpy.typing import NDArray

from medaudit.audit.cohort.case import CohortCase, Values
from medaudit.metrics.ranking import auc
from medaudit.records.cohort import CohortMeasurement

CHECK = "report_text"
RANKING = "ranking"
"""How often a study whose report tells of the finding scores above one whose report does not (0.5: chance)."""
OWN_IMAGE = "own_image"
"""How often a report sentence fits the image of its own study better than that of another (0.5: chance)."""

_REPLICATES = 500


def measure(case: CohortCase) -> list[CohortMeasurement]:
    """Ranking of every finding that reports tell of, and of sentences against images."""
    found = []
    for prompt, scores in case.scores.items():
        said = case.said(prompt.finding)
        if said is None:
            continue
        asked = ~np.isnan(said) & ~np.isnan(scores) & (said != 0.5)
        told = said[asked] == 1
        if min(told.sum(), (~told).sum()) < case.smallest:
            continue
        among = np.flatnonzero(asked)
        found.append(
            CohortMeasurement(
                check=CHECK,
                quantity=RANKING,
                value=auc(scores[asked], told),
                subject=prompt.text,
                against=f"reports that tell of {prompt.finding}",
                count=int(told.sum()),
                others=int((~told).sum()),
                ends=_ends(scores[asked], told),
                examples=case.examples(among[told], -scores),
            )
        )
    return found + _own_images(case)


def _ends(scores: Values, told: NDArray[np.bool_]) -> tuple[float, float]:
    """95 % percentile bootstrap interval, both groups resampled."""
    draw = np.random.default_rng(len(scores))
    one, zero = scores[told], scores[~told]
    both = np.r_[np.ones(len(one)), np.zeros(len(zero))]
    values = [auc(np.r_[draw.choice(one, len(one)), draw.choice(zero, len(zero))], both) for _ in range(_REPLICATES)]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _own_images(case: CohortCase) -> list[CohortMeasurement]:
    if case.images is None:
        return []
    images = case.images / np.linalg.norm(case.images, axis=1, keepdims=True)
    by_study: dict[int, list[float]] = {}
    for sentence in case.sentences:
        fits = images @ sentence.embedding
        others = np.delete(fits, sentence.study)
        others = others[~np.isnan(others)]
        if not len(others) or np.isnan(fits[sentence.study]):
            continue
        own = fits[sentence.study]
        by_study.setdefault(sentence.study, []).append(float((own > others).mean() + (own == others).mean() / 2))
    if len(by_study) < case.smallest:
        return []
    shares = np.full(len(case.studies), np.nan)
    for study, values in by_study.items():
        shares[study] = float(np.mean(values))
    mean, error = float(np.nanmean(shares)), float(np.nanstd(shares, ddof=1)) / math.sqrt(len(by_study))
    return [
        CohortMeasurement(
            check=CHECK,
            quantity=OWN_IMAGE,
            value=mean,
            subject="",
            against="the images of other studies",
            count=len(by_study),
            ends=(max(0.0, mean - 1.96 * error), min(1.0, mean + 1.96 * error)),
            examples=case.examples(sorted(by_study), -shares),
        )
    ]
