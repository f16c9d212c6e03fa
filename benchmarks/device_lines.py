"""How well bright thin lines find devices: recall by device and false alarms on phantoms, whose devices are known.

    python benchmarks/device_lines.py --studies 200 --seed 70000 --drains 40

Devices are drawn as a cohort has them; `--drains` adds studies of which each has a chest drain.
Recall is the share of a device's pixels within the open field that the area covers; a device counts as found where that
is 30 % or more. A pacemaker's can is no line, and most of its pixels. On studies without a device everything is a false
alarm. Plates of atelectasis are bright thin lines, and not told apart. Seconds are of this machine.
"""

import argparse
import json
import time
from collections import defaultdict

import numpy as np

from medaudit.imaging.areas import Area, find_areas
from medaudit.imaging.regions import text_regions
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.shortcuts import parse_shortcut
from medaudit.phantom.study import StudySpec, render
from medaudit.training.corpus import displayed

FOUND = 0.3


def drains(count: int, seed: int) -> list[StudySpec]:
    """Studies with a chest drain each, whatever they show."""
    always = [parse_shortcut("pneumothorax:drain=1/1")]
    return [draw_study(seed + 1, index, always) for index in range(count)]


def _alarms(clean: list[tuple[float, bool, bool]]) -> dict[str, int | float]:
    """How many studies, how many of them have lines, and how much of their pictures these are."""
    if not clean:
        return {"studies": 0}
    share, some, _ = np.mean(clean, axis=0)
    return {"studies": len(clean), "with lines": round(float(some), 3), "share of pictures": round(float(share), 5)}


def measure(studies: list[StudySpec], side: int) -> dict[str, object]:
    """Recall by device, and how much of the pictures is marked that is none."""
    recall: dict[str, list[float]] = defaultdict(list)
    clean, precise, seconds = [], [], 0.0
    for spec in studies:
        phantom = render(spec, side)
        values = displayed(phantom, spec, side).astype(np.float32) / 255
        texts = text_regions(values)
        began = time.perf_counter()
        areas = find_areas(values, texts)
        seconds += time.perf_counter() - began
        lines = areas.get(Area.DEVICE, np.zeros(values.shape, dtype=np.bool_))
        for device, mask in zip(spec.devices, phantom.device_masks, strict=True):
            if mask.any():
                recall[device.kind.value].append(float(lines[mask].mean()))
        if not spec.devices:
            plates = any(finding.kind is FindingKind.ATELECTASIS for finding in spec.findings)
            clean.append((float(lines.mean()), bool(lines.any()), plates))
        elif lines.any():
            precise.append(float(lines[np.logical_or.reduce(phantom.device_masks)].sum() / lines.sum()))
    return {
        "studies": len(studies),
        "devices": {
            name: {
                "devices": len(shares),
                "recall of pixels": round(float(np.mean(shares)), 3),
                "found": round(float(np.mean(np.array(shares) >= FOUND)), 3),
            }
            for name, shares in sorted(recall.items())
        },
        "without a device": _alarms(clean),
        "without a device or atelectasis": _alarms([one for one in clean if not one[2]]),
        "share of lines on a device, where there is one": round(float(np.mean(precise or [0.0])), 3),
        "seconds a picture for all areas": round(seconds / len(studies), 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=70_000, help="of the cohort; the detector was tuned on 4242")
    parser.add_argument("--drains", type=int, default=40, help="studies more, each with a chest drain")
    parser.add_argument("--side", type=int, default=512)
    arguments = parser.parse_args()
    cohort = [draw_study(arguments.seed, index) for index in range(arguments.studies)]
    found = {"cohort": measure(cohort, arguments.side)}
    if arguments.drains:
        found["drains"] = measure(drains(arguments.drains, arguments.seed), arguments.side)
    print(json.dumps(found, indent=2))
