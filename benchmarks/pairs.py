"""What tells a prompt that belongs to an image from one that does not: the cosine, a bottleneck's loss, its nats.

Run: python benchmarks/pairs.py MODEL [--studies 40] [--settings '{"adaib": {"width": 0.5}}'] [--out figures.json]

Every finding of every phantom gives a matched pair with its plain sentence, and a mismatched pair with the sentence of
each finding that the study does not have. For each method the area under the ROC curve, matched against mismatched, of

- loss: minus the last loss of the image side;
- nats: the sum of the image's nats.

The cosine's own area stands beside them: a loss is largely a cosine, and AdaIB's relevance of a pair is made of it.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phantom_model import SEED, Bench, Case, console, present, says
from rich.progress import track

from medaudit.attribution.method import Noise
from medaudit.attribution.registry import build_method
from medaudit.metrics.ranking import auc
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.findings import FindingKind
from medaudit.records import Prompt, PromptKind

METHODS = ("m2ib", "adaib")


def asked(case: Case, found: Sequence[FindingKind]) -> list[tuple[str, bool]]:
    """Sentences for one study, and whether each belongs to it."""
    has = {one.kind for one in case.spec.findings}
    return [(says(kind), True) for kind in found] + [(says(kind), False) for kind in FindingKind if kind not in has]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--settings", type=json.loads, default={}, help='JSON: {"method": {"setting": value}}')
    parser.add_argument("--out", type=Path, help="write every figure as JSON")
    args = parser.parse_args()
    bench = Bench(args.model)
    methods = [build_method(name, args.settings.get(name, {})) for name in METHODS]
    truth: list[bool] = []
    figures: dict[str, list[float]] = defaultdict(list)
    for number in track(range(args.studies), "studies", console=console):
        case = bench.case(draw_study(SEED, number))
        found = [kind for _, kind, _ in present([case])]
        if not found:
            continue
        sentences = asked(case, found)
        truth += [belongs for _, belongs in sentences]
        prompts = [Prompt(text, PromptKind.CONTROL) for text, _ in sentences]
        for method in methods:
            results = method.explain(bench.model, case.seen, prompts, Noise(0, str(number)))
            figures[f"{method.name}, loss"] += [-one.image_trace.loss[-1] for one in results]
            figures[f"{method.name}, nats"] += [float(one.image.values.sum()) for one in results]
        figures["cosine"] += [one.similarity for one in results]
    areas = {name: auc(values, truth) for name, values in figures.items()}
    result: dict[str, Any] = {"settings": args.settings, "matched": sum(truth), "pairs": len(truth), "auc": areas}
    print(f"{sum(truth)} matched and {len(truth) - sum(truth)} mismatched pairs; area under the ROC curve")
    for name, area in sorted(areas.items(), key=lambda item: -item[1]):
        print(f"{name:16} {area:.3f}")
    if args.out:
        args.out.write_text(json.dumps(result | {"rows": figures, "truth": truth}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
