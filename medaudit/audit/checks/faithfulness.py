"""Faithfulness: does the similarity rest where the map says, more than where a map says that knows nothing?

Only of findings that the model sees (prefers to their negation): of others there is no similarity to take away.

Every map is compared with maps of the same size that know nothing: random, constant, a Gaussian on the centre. Each
lets the same amount of the picture through: ranks, not values, say how much of a place is shown, so that no map wins
by being bright (an all-ones map would lose nothing of the score).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from medaudit.audit.case import Case, Cost, Depth, Load
from medaudit.imaging.perturb import blurred, imputed
from medaudit.metrics.agreement import ranks
from medaudit.metrics.faithfulness import ordered_steps
from medaudit.records import FaithfulnessCurve, Measurement, Walk

CHECK = "faithfulness"
DROP = "confidence_drop"
INCREASE = "confidence_increase"
KEPT = "kept_advantage"
INSERTION = "insertion_advantage"
DELETION = "deletion_advantage"
ROAD = "road_advantage"

_RANDOM_MAPS = 3
_CONTROLS = _RANDOM_MAPS + 2
_STEPS = 10
# Of ROAD: a fifth of the picture each; a picture of which all is taken away cannot be imputed.
_FIFTHS = 5
_CENTRE_SPREAD = 0.25
# What is not shown is the picture without what is finer than a sixth of its sides.
_COARSE = 6
_AGAINST = "random, constant and centre maps"


def measure(case: Case) -> list[Measurement | FaithfulnessCurve]:
    """Drop, increase and what the map keeps beyond its controls.

    At full depth also ROAD, and insertion and deletion with the curves that their areas lie under.
    """
    if case.depth is Depth.MAPS or not case.seen_findings or not case.spread:
        return []
    maps = [item.image.values.astype(np.float64) for item in case.seen_findings]
    controls = _controls(case, maps[0].shape)
    kept, control_kept = _own_and_controls(case, maps, controls, lambda one: _shown(case, [ranks(one) / one.size]))
    found: list[Measurement | FaithfulnessCurve] = []
    before = case.before(case.seen_findings)
    for index, item in enumerate(case.seen_findings):
        lost = float(before[index] - kept[index][0])
        advantage = (kept[index][0] - _best(control_kept[:, 0, index])) / case.spread
        for quantity, value, against in (
            (DROP, max(0.0, lost) / case.spread, ""),
            (INCREASE, float(lost < 0), ""),
            (KEPT, float(advantage), _AGAINST),
        ):
            found.append(Measurement(CHECK, quantity, value, item.prompt.text, against))
    if case.depth is Depth.FULL:
        curves = _curves(case, maps, controls)
        found += [*curves, *(_area(case, one) for one in curves), *_road(case, maps, controls)]
    return found


def cost(load: Load) -> Cost:
    """Of one picture."""
    walks = {Depth.MAPS: 0, Depth.FAST: 1, Depth.FULL: 1 + 2 * (_STEPS + 1) + 2 * (_FIFTHS - 1)}[load.depth]
    return Cost(walks * (load.findings + _CONTROLS))


def _curves(
    case: Case, maps: list[NDArray[np.float64]], controls: list[NDArray[np.float64]]
) -> list[FaithfulnessCurve]:
    """Insertion and deletion (Petsiuk et al., BMVC 2018) of every finding."""
    found = []
    for walk in Walk:

        def pictures(one: NDArray[np.float64], walk: Walk = walk) -> Tensor:
            return _shown(case, [changed == (walk is Walk.INSERTION) for changed in _changes(one)])

        own, others = _own_and_controls(case, maps, controls, pictures)
        # How much is changed at each step is the same for every map of a size.
        share = tuple(float(changed.mean()) for changed in _changes(maps[0]))
        for index, item in enumerate(case.seen_findings):
            random, still = others[:_RANDOM_MAPS, :, index].mean(axis=0), others[_RANDOM_MAPS:, :, index]
            lines = [tuple(map(float, line)) for line in (own[index], random, *still)]
            found.append(FaithfulnessCurve(item.prompt.text, walk, share, *lines))
    return found


def _changes(one: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
    """Which places of a map are changed at each step, from none to all, the most relevant first."""
    at = ordered_steps(one, _STEPS)
    return [at < step for step in range(int(at.max()) + 2)]


def _area(case: Case, curve: FaithfulnessCurve) -> Measurement:
    """The advantage of a curve in units of the spread."""
    quantity = {Walk.INSERTION: INSERTION, Walk.DELETION: DELETION}[curve.walk]
    return Measurement(CHECK, quantity, curve.advantage / case.spread, curve.subject, _AGAINST)


def _road(case: Case, maps: list[NDArray[np.float64]], controls: list[NDArray[np.float64]]) -> list[Measurement]:
    """Remove and debias (Rong et al., ICML 2022): half of what the score keeps longer where the least relevant goes.

    Parts are imputed from their neighbours, so that the shape of what is gone tells the model nothing; the mean over
    a fifth to four fifths of the picture, in units of the spread, against the best control.
    """

    def removed(one: NDArray[np.float64]) -> Tensor:
        masks = [ordered_steps(sign * one, _FIFTHS) < step for sign in (1, -1) for step in range(1, _FIFTHS)]
        places = torch.from_numpy(np.stack(masks)).float()[:, None]
        wide = interpolate(places, size=case.picture.shape[-2:], mode="nearest")[:, 0] > 0
        return imputed(case.picture, wide, case.generator(f"{CHECK} {ROAD}"))

    def kept(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        most, least = np.split(scores, 2, axis=-1)
        return np.asarray((least - most).mean(axis=-1) / 2)

    own, others = _own_and_controls(case, maps, controls, removed)
    found = []
    for index, item in enumerate(case.seen_findings):
        advantage = (float(kept(own[index])) - _best(kept(others[:, :, index]))) / case.spread
        found.append(Measurement(CHECK, ROAD, advantage, item.prompt.text, _AGAINST))
    return found


def _own_and_controls(
    case: Case,
    maps: list[NDArray[np.float64]],
    controls: list[NDArray[np.float64]],
    pictures: Callable[[NDArray[np.float64]], Tensor],
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Scores of each finding's pictures with that finding, (n,) each; and of the controls with all, (C, n, F)."""
    asked = case.seen_findings
    own = [case.scores(pictures(one), [item])[:, 0] for one, item in zip(maps, asked, strict=True)]
    return own, np.stack([case.scores(pictures(one), asked) for one in controls])


def _shown(case: Case, places: Sequence[NDArray[np.float64] | NDArray[np.bool_]]) -> Tensor:
    """(n, 3, H, W) the picture where shares of 0 .. 1, one a token, show it, and its blur for the rest."""
    grid = case.seen.grid_map.grid
    values = torch.stack([torch.from_numpy(np.asarray(one, dtype=np.float32)) for one in places])
    shares = interpolate(
        values.view(len(places), 1, grid.rows, grid.columns), size=case.picture.shape[-2:], mode="nearest"
    )
    return shares * case.picture + (1 - shares) * blurred(case.picture, _COARSE)


def _controls(case: Case, shape: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """Maps that know nothing: random ones, then a constant and a centre Gaussian."""
    generator = case.generator(CHECK)
    random = [torch.rand(shape, generator=generator, dtype=torch.float64).numpy() for _ in range(_RANDOM_MAPS)]
    rows, columns = (np.exp(-((((np.arange(n) + 0.5) / n - 0.5) / _CENTRE_SPREAD) ** 2) / 2) for n in shape)
    return [*random, np.ones(shape), np.outer(rows, columns)]


def _best(of_controls: NDArray[np.float64]) -> float:
    """The best control: the mean of the random ones counts as one."""
    return float(max(of_controls[:_RANDOM_MAPS].mean(), *of_controls[_RANDOM_MAPS:]))
