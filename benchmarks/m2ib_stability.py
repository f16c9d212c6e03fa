"""How much of an M2IB map is the seed's, and how much the prompt's: on phantoms, for a pipeline's own settings.

Run: python benchmarks/m2ib_stability.py MODEL [--studies 20] [--settings '{"steps": 24}'] [--out figures.json]

Every finding of every phantom, its plain sentence:

- seeds: mean correlation over all pairs of five seeds (Pearson, and of ranks), of the image's nats and of the words';
- visible ranks: with nats below a 1,000th of the map's sum, which show nowhere, made equal;
- nonsense: correlation of ranks (all, and visible), and Pearson, with the map of a sentence about something else and
  of letters without sense; and how much of the finding's nats such a map holds;
- peak: the largest patch touches the finding's mask.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phantom_model import SEED, Bench, Case, console, patch_cover, present, says, visible
from rich.progress import track

from medaudit.attribution.method import Method, Noise
from medaudit.attribution.registry import build_method
from medaudit.metrics.agreement import rank_correlation
from medaudit.metrics.interval import bootstrap
from medaudit.metrics.localisation import pointing_hit
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.grid import Mask
from medaudit.pipeline.load import load_pipeline
from medaudit.records import Attribution, Prompt, PromptKind

NONSENSE = ("Blue parliament sings under seven chairs.", "ljashdbflsabdf")
SEEDS = 5


def pearson(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Correlation of two maps of one shape; 0 where one of them is constant."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() and other.std() else 0.0


def one_case(bench: Bench, method: Method, case: Case, text: str, mask: Mask, *, number: int) -> dict[str, float]:
    """Every figure of one finding."""
    prompt = Prompt(text, PromptKind.CONTROL)

    def explain(prompts: Sequence[Prompt], seed: int) -> tuple[Attribution, ...]:
        return method.explain(bench.model, case.seen, prompts, Noise(seed, str(number)))

    found = [explain([prompt], seed)[0] for seed in range(SEEDS)]
    maps, words = [one.image.values for one in found], [one.text.values for one in found]
    others = [one.image.values for one in explain([Prompt(text, PromptKind.CONTROL) for text in NONSENSE], 0)]
    pairs, against = list(combinations(maps, 2)), [(maps[0], other) for other in others]
    return {
        "seeds": float(np.mean([pearson(*pair) for pair in pairs])),
        "seeds, ranks": float(np.mean([rank_correlation(*pair) for pair in pairs])),
        "seeds, visible ranks": float(np.mean([rank_correlation(*map(visible, pair)) for pair in pairs])),
        "seeds, words": float(np.mean([pearson(*pair) for pair in combinations(words, 2)])),
        "nonsense, ranks": float(np.mean([rank_correlation(*pair) for pair in against])),
        "nonsense, visible ranks": float(np.mean([rank_correlation(*map(visible, pair)) for pair in against])),
        "nonsense": float(np.mean([pearson(*pair) for pair in against])),
        "nonsense, nats": float(np.mean([other.sum() / maps[0].sum() for other in others])),
        "peak": float(pointing_hit(maps[0].astype(np.float64), patch_cover(mask, maps[0].shape[0]))),
    }


def summary(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and 95 % bootstrap interval of every figure, and its least and largest."""
    out = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        out[name] = asdict(bootstrap(values, statistic=np.mean)) | {"least": values.min(), "most": values.max()}
    return out


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--pipeline", default="phantom", help="whose attribution settings are taken")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON of settings beside the pipeline's")
    parser.add_argument("--first", type=int, default=0, help="first study of the cohort")
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    bench = Bench(args.model)
    choice = load_pipeline(args.pipeline).spec.attribution
    method = build_method(choice.method, {**choice.settings, **args.settings})
    drawn = [bench.case(draw_study(SEED, i)) for i in range(args.first, args.first + args.studies)]
    rows = [
        one_case(bench, method, case, says(kind), mask, number=number)
        for number, (case, kind, mask) in enumerate(track(list(present(drawn)), "cases", console=console))
    ]
    found = summary(rows)
    print(f"{len(rows)} findings in {args.studies} phantoms\n\n| figure | mean | least | most |\n|---|---|---|---|")
    for name, cell in found.items():
        mean = f"{cell['value']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})"
        print(f"| {name} | {mean} | {cell['least']:.3f} | {cell['most']:.3f} |")
    if args.out:
        args.out.write_text(json.dumps({"summary": found, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
