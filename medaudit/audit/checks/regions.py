"""Regions: does a score rest on what is no anatomy: text, markers, border, air, devices?

Twice asked. Of the map: how much more of its relevance lies in a candidate area than the area's size alone would
give? Of the model: does the score change more where the area is filled with its surroundings than where a part of the
same shape is filled elsewhere (a permutation test), and does it change where letters are written that were not there?
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from medaudit.audit.case import Case, Cost, Depth, Load
from medaudit.imaging.areas import Area, Mask
from medaudit.imaging.perturb import filled, written
from medaudit.metrics.localisation import energy_share
from medaudit.records import Measurement

CHECK = "regions"
RELEVANCE_EXCESS = "relevance_excess"
CHANGE_EXCESS = "change_excess"
LINE_CHANGE_EXCESS = "line_change_excess"
PERMUTATION_P = "permutation_p"
INSERTED_CHANGE = "inserted_change"

# Same-shape places that a filled area is compared with: p is 1 in 20 at least, or 1 in 100.
_PLACES = {Depth.FAST: 19, Depth.FULL: 99}
_TOUCHED = 0.1
# What is written into the picture, its height and its (left, top), as shares of the sides; the corners of radiographs.
_LETTERS = (("L", 0.05, (0.9, 0.04)), ("R", 0.05, (0.06, 0.04)), ("PORTABLE", 0.03, (0.06, 0.92)))


def measure(case: Case) -> list[Measurement]:
    """Of each area, for the findings that the model sees: relevance, change when filled, its p; of all: letters."""
    found = [
        Measurement(CHECK, RELEVANCE_EXCESS, relevance_excess(item.image.values, mask), item.prompt.text, area.value)
        for area, mask in case.areas.items()
        for item in case.seen_findings
    ]
    if case.depth is Depth.MAPS or not case.findings or not case.spread:
        return found
    for area, mask in case.areas.items() if case.seen_findings else ():
        found += _counterfactual(case, area, mask)
    return found + _inserted(case)


def cost(load: Load) -> Cost:
    """Of one picture."""
    if load.depth is Depth.MAPS:
        return Cost()
    return Cost(1 + load.areas * (1 + _PLACES[load.depth]) + len(_LETTERS))


def relevance_excess(nats: NDArray[np.float32], mask: Mask) -> float:
    """Share of the positive relevance (rows, columns) in the tokens that a mask (H, W) touches, minus their share.

    A token is touched where the mask covers a tenth of it. 0 for a map that knows nothing, and for one without
    relevance; at most 1.
    """
    covered = adaptive_avg_pool2d(torch.from_numpy(mask[None, None].astype(np.float32)), nats.shape)[0, 0].numpy()
    touched = covered >= _TOUCHED
    return energy_share(nats, touched) - float(touched.mean()) if (nats > 0).any() else 0.0


def _counterfactual(case: Case, area: Area, mask: Mask) -> list[Measurement]:
    places = _same_shape_elsewhere(torch.from_numpy(mask), _PLACES[case.depth], case.generator(f"{CHECK} {area}"))
    masks = torch.cat([torch.from_numpy(mask)[None], places])
    asked = case.seen_findings
    change = np.abs(case.scores(filled(case.picture, masks), asked) - case.before(asked)) / case.spread
    own, others = change[0], change[1:]
    p = (1 + (others >= own).sum(axis=0)) / len(change)
    excess = own - others.max(axis=0)
    # Lines may be what the finding is: plates of atelectasis, fissures. They have a threshold of their own.
    quantity = LINE_CHANGE_EXCESS if area is Area.DEVICE else CHANGE_EXCESS
    measured = []
    for index, item in enumerate(asked):
        measured += [
            Measurement(CHECK, quantity, float(excess[index]), item.prompt.text, area.value),
            Measurement(CHECK, PERMUTATION_P, float(p[index]), item.prompt.text, area.value),
        ]
    return measured


def _same_shape_elsewhere(mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(count, H, W) the mask shifted at random, around the edges, so that at most half of it stays where it was."""
    rows, columns = mask.shape
    area, places = int(mask.sum()), []
    for attempt in range(20 * count):
        down, across = (int(torch.randint(length, (1,), generator=generator)) for length in (rows, columns))
        place = mask.roll((down, across), (0, 1))
        # A frame or a wide area meets itself wherever it goes.
        if int((place & mask).sum()) <= area / 2 or attempt >= 19 * count:
            places.append(place)
        if len(places) == count:
            break
    return torch.stack(places)


def _inserted(case: Case) -> list[Measurement]:
    marked = torch.stack(
        [written(case.picture, text, height=height, left=left, top=top) for text, height, (left, top) in _LETTERS]
    )
    change = np.abs(case.scores(marked, case.findings) - case.untouched) / case.spread
    worst = change.argmax(axis=0)
    return [
        Measurement(
            CHECK,
            INSERTED_CHANGE,
            float(change[worst[index], index]),
            item.prompt.text,
            f"\u201c{_LETTERS[worst[index]][0]}\u201d written into a corner",
        )
        for index, item in enumerate(case.findings)
    ]
