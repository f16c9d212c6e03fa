"""How well burned-in text is found: recall and false alarms on phantoms, whose marks are known.

    python benchmarks/burned_in_text.py --studies 200 --seed 70000

Marks are drawn as a cohort has them: side markers on most studies, PORTABLE on some, other text on some. A text counts
as found where a region overlaps it; a study without text raises a false alarm where any region is found. A side marker
is a single letter and counts as no text.
"""

import argparse
import json

import numpy as np
from numpy.typing import NDArray

from medaudit.dicom.voi import linear
from medaudit.imaging.regions import text_regions
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.marks import MarkKind
from medaudit.phantom.study import render
from medaudit.phantom.vendors import Vendor


def displayed(pixels: NDArray[np.uint16], vendor: Vendor) -> NDArray[np.float32]:
    """The picture through the window that its file carries, brighter is brighter."""
    level = linear(pixels.astype(np.float64), *vendor.stored_window)
    return (1 - level if vendor.inverted else level).astype(np.float32)


def measure(studies: int, seed: int, side: int) -> dict[str, int | float]:
    """Counts and rates over one cohort."""
    texts = found = clean = alarms = spurious = regions = 0
    for index in range(studies):
        spec = draw_study(seed, index)
        phantom = render(spec, side)
        boxes = [
            box
            for mark, box in zip(spec.marks, phantom.mark_boxes, strict=True)
            if mark.kind in (MarkKind.PORTABLE, MarkKind.TEXT)
        ]
        seen = text_regions(displayed(phantom.pixels, spec.vendor))
        texts += len(boxes)
        found += sum(any(region.overlaps(box) for region in seen) for box in boxes)
        regions += len(seen)
        spurious += sum(not any(region.overlaps(box) for box in boxes) for region in seen)
        if not boxes:
            clean += 1
            alarms += bool(seen)
    return {
        "studies": studies,
        "texts": texts,
        "recall": round(found / texts, 3) if texts else float("nan"),
        "studies without text": clean,
        "false alarms": round(alarms / clean, 3) if clean else float("nan"),
        "regions": regions,
        "regions off any text": spurious,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=70_000, help="of the cohort; the detector was tuned on 9001")
    parser.add_argument("--side", type=int, default=512)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.studies, arguments.seed, arguments.side), indent=2))
