"""Every attribution method against what really moves the score, and against lesion masks, on phantoms.

Run: python benchmarks/methods_on_phantoms.py MODEL [--studies 500] [--work DIR] [--out figures.json] [--table table.md]

With --work every case is kept: the same call goes on after an interruption, several processes share the work
(--part 0/2, --part 1/2), and a call with fewer methods or none tables what is there.

A phantom has a twin: the same study without the finding. The score's causes are therefore known: a region's effect is
how far the score of the finding's sentence falls when that region is swapped from the twin. Each map is held against

- effects: rank correlation between the map's mean over a square of the token grid and that square's effect. Few
  squares have any, all others are tied at none, so the best map stays well below 1;
- top square: the effect of the map's first square as a share of the largest effect;
- insertion, deletion: the twin becomes the study, and the study its twin, token by token in the map's order; the area
  under the score, 0 at its start and 1 at its end, so 0.5 is a map without order and larger is better for both;
- lesion masks: pointing game, contrast-to-noise ratio, average precision of pixels, energy inside the mask;
- another prompt: rank correlation with the map of a nonsense prompt (low is better: the map heeds its prompt).

Means over cases (CNR: median) with 95 % bootstrap intervals. Squares and tokens are swapped in the model's input.
--curves bfloat16 scores the curves, which take most of the time, in bfloat16; effects always in float32.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from phantom_model import SEED, SIDE, Bench, Case, console, patch_cover, present, says
from rich.progress import track

from medaudit.attribution.method import Method, Noise
from medaudit.attribution.precision import BFLOAT16, FLOAT32, Precision
from medaudit.attribution.registry import METHODS, build_method
from medaudit.attribution.spaces import patch_of
from medaudit.errors import AttributionError
from medaudit.metrics.agreement import rank_correlation
from medaudit.metrics.faithfulness import change_curve
from medaudit.metrics.interval import bootstrap
from medaudit.metrics.localisation import average_precision, contrast_to_noise, energy_share, pointing_hit
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.grid import Mask
from medaudit.phantom.study import render
from medaudit.records import Prompt, PromptKind, RelevanceMap

NONSENSE = "Blue parliament sings under seven chairs."
# A case whose score hardly falls without its finding has no causes to find.
LEAST_FALL = 0.02
# Of the whole fall. Less comes from scatter and resampling all over the twin; ranked, it would outweigh the causes.
LEAST_EFFECT = 0.02
QUICK: Mapping[str, Mapping[str, Any]] = {
    "rise": {"masks": 300},
    "kernel-shap": {"coalitions": 300},
    "second-order": {"steps": 4},
}
COLUMNS = (
    "effects",
    "top square",
    "insertion",
    "deletion",
    "pointing",
    "cnr",
    "average precision",
    "energy",
    "other prompt",
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A method under a label, ready to run."""

    label: str
    method: Method


@dataclass(frozen=True, slots=True)
class Grain:
    """How finely maps are judged.

    The side of a square in tokens, steps of insertion and deletion and their precision, and every how many cases the
    nonsense prompt is asked as well.
    """

    square: int
    steps: int
    curves: str
    nonsense: int


@dataclass(frozen=True, slots=True)
class Causes:
    """What moves the score of one sentence: effects of squares, and the score with any tokens from the twin."""

    effects: NDArray[np.float64]
    score: Callable[[NDArray[np.bool_]], NDArray[np.float64]]


def causes_of(bench: Bench, case: Case, kind: FindingKind, grain: Grain) -> Causes | None:
    """Score a study with every square of tokens swapped from its twin; None where the score hardly falls."""
    without = replace(case.spec, findings=tuple(one for one in case.spec.findings if one.kind is not kind))
    study = case.seen.pixels[0]
    twin = bench.image(render(without, SIDE).pixels, case.spec).pixels[0]
    grid, text = bench.model.grid, bench.text(says(kind))
    rows, columns = patch_of(study.shape[1], grid.rows), patch_of(study.shape[2], grid.columns)

    def score(from_twin: NDArray[np.bool_], precision: str) -> NDArray[np.float64]:
        """(M,) scores with the tokens ``from_twin`` (M, rows, columns) swapped."""
        found = []
        for chunk in torch.split(torch.from_numpy(from_twin), 50):
            pixels = torch.where(chunk[:, rows][:, :, columns][:, None], twin, study)
            with torch.no_grad(), Precision(precision, "cpu").autocast():
                found.append(bench.model.vision.encode(pixels).float() @ text)
        return torch.cat(found).double().numpy()

    squares = np.stack(list(_squares(grid.rows, grid.columns, grain.square)))
    whole = score(np.stack([np.zeros_like(squares[0]), np.ones_like(squares[0])]), FLOAT32)
    if whole[0] - whole[1] < LEAST_FALL:
        return None
    differs = patch_cover_any((study != twin).any(0).numpy(), rows.numpy(), columns.numpy(), squares)
    effects = np.zeros(len(squares))
    effects[differs] = whole[0] - score(squares[differs], FLOAT32)
    effects[np.abs(effects) < LEAST_EFFECT * (whole[0] - whole[1])] = 0
    return Causes(effects, lambda from_twin: score(from_twin, grain.curves))


def _squares(rows: int, columns: int, group: int) -> Iterator[NDArray[np.bool_]]:
    for top in range(0, rows, group):
        for left in range(0, columns, group):
            square = np.zeros((rows, columns), dtype=bool)
            square[top : top + group, left : left + group] = True
            yield square


def patch_cover_any(
    changed: NDArray[np.bool_], rows: NDArray[np.int64], columns: NDArray[np.int64], squares: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(S,) whether any changed pixel lies in each square of tokens."""
    tokens = np.zeros(squares.shape[1:], dtype=bool)
    y, x = np.nonzero(changed)
    tokens[rows[y], columns[x]] = True
    return np.asarray((squares & tokens).any(axis=(1, 2)))


def judge(found: RelevanceMap, causes: Causes | None, mask: Mask, grain: Grain) -> dict[str, float]:
    """Every figure of one map; those about causes are NaN where there are none."""
    values = found.values.astype(np.float64)
    projected = found.pixels()
    figures = {
        "pointing": float(pointing_hit(values, patch_cover(mask, values.shape[0]))),
        "cnr": contrast_to_noise(projected, mask),
        "average precision": average_precision(projected, mask),
        "energy": energy_share(projected, mask),
    }
    if causes is None:
        return figures | dict.fromkeys(("effects", "top square", "insertion", "deletion"), float("nan"))
    largest = causes.effects.max()
    squares = [values[square].mean() for square in _squares(*values.shape, grain.square)]
    return figures | {
        "effects": rank_correlation(squares, causes.effects),
        # No square alone moves a score that rests on any of several.
        "top square": float(causes.effects[int(np.argmax(squares))] / largest) if largest > 0 else float("nan"),
        "insertion": change_curve(values, grain.steps, lambda changed: causes.score(~changed)).relative_area,
        "deletion": change_curve(values, grain.steps, causes.score).relative_area,
    }


def stability(bench: Bench, cases: Sequence[tuple[Case, FindingKind]], settings: Mapping[str, Any]) -> float:
    """Mean pairwise Pearson correlation of M2IB's maps over five seeds."""
    method = build_method("m2ib", settings)
    found = []
    for number, (case, kind) in enumerate(track(cases, "seeds", console=console)):
        prompt = Prompt(says(kind), PromptKind.CONTROL)
        maps = [
            method.explain(bench.model, case.seen, [prompt], Noise(seed, str(number)))[0].image.values.ravel()
            for seed in range(5)
        ]
        found += [float(np.corrcoef(one, other)[0, 1]) for one, other in combinations(maps, 2)]
    return float(np.mean(found))


def variants(names: Sequence[str], settings: Mapping[str, Any], blocks: Sequence[int]) -> list[Variant]:
    """Methods under their names, and M2IB at each of ``blocks``."""
    chosen = [Variant(name, build_method(name, settings.get(name, {}))) for name in names]
    own = settings.get("m2ib", {})
    return chosen + [Variant(f"m2ib, block {b}", build_method("m2ib", own | {"image_block": b})) for b in blocks]


class Kept:
    """Rows of every case by the variant's label, in files where a folder is given, all of one set of settings."""

    def __init__(self, folder: Path | None, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self.rows: dict[int, dict[str, dict[str, float]]] = {}
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        said, wanted = folder / "settings.json", json.dumps(settings, sort_keys=True)
        if said.is_file() and said.read_text(encoding="utf-8") != wanted:
            sys.exit(f"{folder}: was measured with other settings; choose another folder or remove it")
        said.write_text(wanted, encoding="utf-8")
        for path in folder.glob("case-*.json"):
            self.rows[int(path.stem[5:])] = json.loads(path.read_text(encoding="utf-8"))

    def add(self, number: int, rows: Mapping[str, dict[str, float]]) -> None:
        """Keep more rows of a case."""
        self.rows[number] = self.rows.get(number, {}) | dict(rows)
        if self._folder is not None:
            partial = self._folder / f"case-{number:04d}.partial"
            partial.write_text(json.dumps(self.rows[number]) + "\n", encoding="utf-8")
            partial.replace(partial.with_suffix(".json"))

    def by_label(self) -> dict[str, list[dict[str, float]]]:
        """Rows of every variant, in the order of the cases."""
        out: dict[str, list[dict[str, float]]] = {}
        for number in sorted(self.rows):
            for label, row in self.rows[number].items():
                out.setdefault(label, []).append(row)
        return out


def measure(
    bench: Bench,
    work: Mapping[int, tuple[Case, FindingKind, Mask]],
    chosen: Sequence[Variant],
    kept: Kept,
    grain: Grain,
) -> dict[str, str]:
    """Add the figures of every variant on every case; returns why a variant was refused."""
    refused: dict[str, str] = {}
    for number, (case, kind, mask) in track(work.items(), "cases", console=console):
        missing = [one for one in chosen if one.label not in kept.rows.get(number, {}) and one.label not in refused]
        if not missing:
            continue
        causes = causes_of(bench, case, kind, grain)
        texts = (says(kind), NONSENSE) if number % grain.nonsense == 0 else (says(kind),)
        prompts = [Prompt(text, PromptKind.CONTROL) for text in texts]
        found = {}
        for one in missing:
            try:
                maps = [
                    answer.image
                    for answer in one.method.explain(bench.model, case.seen, prompts, Noise(0, str(number)))
                ]
            except AttributionError as error:
                refused[one.label] = str(error)
                continue
            row = judge(maps[0], causes, mask, grain)
            row["other prompt"] = rank_correlation(maps[0].values, maps[1].values) if maps[1:] else float("nan")
            found[one.label] = row | {"finding": list(FindingKind).index(kind)}
        kept.add(number, found)
    return refused


def summary(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float] | None]:
    """Mean (CNR: median) and interval of every figure; None where no case has it."""
    out: dict[str, dict[str, float] | None] = {}
    for name in COLUMNS:
        values = np.array([row[name] for row in rows])
        statistic = np.median if name == "cnr" else np.mean
        out[name] = None if np.isnan(values).all() else asdict(bootstrap(values, statistic=statistic))
    return out


def markdown(figures: Mapping[str, Any]) -> str:
    """The table, the best insertion first."""

    def place(item: tuple[str, Any]) -> float:
        return -(item[1]["insertion"] or {"value": 0})["value"]

    lines = [f"| method | cases | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 2) + "|"]
    for label, row in sorted(figures["methods"].items(), key=place):
        cells = (
            "" if cell is None else f"{cell['value']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"
            for cell in (row[name] for name in COLUMNS)
        )
        lines.append(f"| {label} | {len(figures['rows'][label])} | {' | '.join(cells)} |")
    lines += [f"| {label} | refused: {why} |" for label, why in figures["refused"].items()]
    found = f"{figures['cases']} findings in {figures['studies']} phantoms"
    said = [f"{found}, {figures['with causes']} of which move the score."]
    if figures["seed stability"] is not None:
        said.append(f"M2IB's maps between seeds: Pearson {figures['seed stability']:.3f}.")
    return "\n".join([*lines, "", *said, ""])


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--settings", type=json.loads, default={}, help='JSON: {"method": {"setting": value}}')
    parser.add_argument("--m2ib-blocks", type=int, nargs="*", default=[], help="M2IB at these blocks as well")
    parser.add_argument(
        "--variant",
        nargs=3,
        action="append",
        default=[],
        metavar=("LABEL", "METHOD", "JSON"),
        help="a method with other settings, under a label; may be repeated",
    )
    parser.add_argument("--quick", action="store_true", help="fewer masks and coalitions; not for publication")
    parser.add_argument("--square", type=int, default=2, help="side, in tokens, of the squares whose effect is taken")
    parser.add_argument("--steps", type=int, default=14, help="of insertion and deletion")
    parser.add_argument("--curves", choices=(FLOAT32, BFLOAT16), default=FLOAT32, help="precision of the curves")
    parser.add_argument("--nonsense-every", type=int, default=1, help="cases; the nonsense prompt doubles the time")
    parser.add_argument("--seed-cases", type=int, default=10, help="cases on which seeds are compared; 0: none")
    parser.add_argument("--work", type=Path, help="keep every case here, and go on from what is here")
    parser.add_argument("--part", default="0/1", help="K/N: every N-th case from K on")
    parser.add_argument("--out", type=Path, help="write every figure as JSON")
    parser.add_argument("--table", type=Path, help="write the table as markdown")
    args = parser.parse_args()
    settings = {name: dict(QUICK[name]) for name in QUICK} if args.quick else {}
    settings |= args.settings
    grain = Grain(args.square, args.steps, args.curves, args.nonsense_every)
    kept = Kept(args.work, {"methods": settings, "grain": asdict(grain), "model": args.model.name})
    bench = Bench(args.model)
    cases = [bench.case(draw_study(SEED, i)) for i in track(range(args.studies), "studies", console=console)]
    work = list(present(cases))
    part, parts = (int(number) for number in args.part.split("/"))
    mine = dict(list(enumerate(work))[part::parts])
    chosen = variants(args.methods, settings, args.m2ib_blocks)
    chosen += [Variant(label, build_method(name, json.loads(content))) for label, name, content in args.variant]
    refused = measure(bench, mine, chosen, kept, grain)
    figures = kept.by_label()
    first = max(figures.values(), key=len)
    seeds = [(case, kind) for case, kind, _ in work[: args.seed_cases]]
    result = {
        "studies": args.studies,
        "cases": len(work),
        "with causes": sum(not np.isnan(row["effects"]) for row in first),
        "settings": settings,
        "methods": {label: summary(rows) for label, rows in figures.items()},
        "refused": refused,
        "seed stability": stability(bench, seeds, settings.get("m2ib", {})) if seeds else None,
        "findings": [kind.value for kind in FindingKind],
        "rows": figures,
    }
    table = markdown(result)
    print(table)
    if args.table:
        args.table.write_text(table, encoding="utf-8")
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
