"""What a bundled model has learnt, where it looks, and where M2IB says it looks: on phantoms it has not seen.

Run: python benchmarks/phantom_model.py MODEL_FOLDER [--studies 500] [--out figures.json]

Every image goes the way of an audit: rendered at 512 pixels, through its window, through the model's own
preprocessing. The studies are of another seed than any training corpus.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Noise
from medaudit.dicom.grayscale import DisplayImage
from medaudit.dicom.voi import linear
from medaudit.imaging.preprocess import ModelInput, preprocess
from medaudit.metrics.localisation import contrast_to_noise, pointing_hit
from medaudit.metrics.ranking import auc
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.registry import load_model
from medaudit.phantom.cohort import draw_study
from medaudit.phantom.devices import DeviceKind
from medaudit.phantom.findings import FindingKind
from medaudit.phantom.grid import Mask
from medaudit.phantom.report_text import KnownSentence, known_sentences
from medaudit.phantom.shortcuts import parse_shortcut
from medaudit.phantom.study import Phantom, StudySpec, render
from medaudit.records import Prompt, PromptKind
from medaudit.training.corpus import visible_findings

SEED = 2027
SIDE = 512
DRAIN = "pneumothorax:drain=0.95/0.02"
RANDOM_MAPS = 20
LEAST_VISIBLE = 1e-3
"""Share of a map's nats: a step or so of 256, as its largest patch holds a fifth of them or more."""
WAYS = {
    "paper": M2IBSettings(),
    "calibrated": M2IBSettings(
        standardise=True, lambda_per="token", antithetic=True, use_last_step=True, image_beta=1.0, text_beta=1.0
    ),
}
"""The paper's protocol, and M2IB on standardised features with one lambda a token (docs/m2ib.md)."""

console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Case:
    """One study as the model sees it."""

    spec: StudySpec
    phantom: Phantom
    seen: ModelInput


class Bench:
    """A model and its texts, each embedded once."""

    def __init__(self, folder: Path) -> None:
        self.model: VisionLanguageModel = load_model(folder, torch.device("cpu"))
        self._texts: dict[str, torch.Tensor] = {}

    def image(self, pixels: NDArray[np.uint16], spec: StudySpec) -> ModelInput:
        """Stored values through window and preprocessing."""
        center, width = spec.vendor.stored_window
        values = linear(pixels.astype(np.float64), center, width).astype(np.float32)
        values = 1 - values if spec.vendor.inverted else values
        shown = DisplayImage(values, None, spec.vendor.inverted, None, "phantom")
        return preprocess(shown, self.model.preprocessing, self.model.grid)

    def case(self, spec: StudySpec) -> Case:
        """Render a study and prepare it."""
        phantom = render(spec, SIDE)
        return Case(spec, phantom, self.image(phantom.pixels, spec))

    def text(self, text: str) -> torch.Tensor:
        """(E,) embedding."""
        if text not in self._texts:
            read = self.model.tokenize(text)
            with torch.no_grad():
                self._texts[text] = self.model.text.encode(read.ids, read.mask)[0]
        return self._texts[text]

    def embed(self, images: Sequence[ModelInput]) -> torch.Tensor:
        """(B, E)."""
        with torch.no_grad():
            return self.model.vision.encode(torch.cat([image.pixels for image in images]))

    def scores(self, images: Sequence[ModelInput], texts: Sequence[str]) -> NDArray[np.float64]:
        """(images, texts) cosines."""
        found = torch.cat([self.embed(images[start : start + 50]) for start in range(0, len(images), 50)])
        return (found @ torch.stack([self.text(text) for text in texts]).T).double().numpy()


def says(kind: FindingKind) -> str:
    """The plain sentence that a finding is there."""
    return "Cardiomegaly." if kind is FindingKind.CARDIOMEGALY else f"There is {_bare(kind)}."


def _bare(kind: FindingKind) -> str:
    uncounted = kind in (FindingKind.CONSOLIDATION, FindingKind.ATELECTASIS)
    return kind.value if uncounted else f"a {kind.value}"


def zero_shot(bench: Bench, cases: Sequence[Case]) -> dict[str, Any]:
    """AUC of every known sentence, and how often a denial outscores the claim where the finding is absent."""
    known = [known_sentences(case.spec) for case in cases]
    sentences = known[0]
    scores = bench.scores([case.seen for case in cases], [one.text for one in sentences])
    truth = np.array([[one.truth for one in row] for row in known])
    nothing = known_sentences(replace(cases[0].spec, findings=(), devices=()))
    denies = np.array([one.truth and one.about != "normal" for one in nothing])
    out: dict[str, Any] = {}
    for name in dict.fromkeys(one.about for one in sentences):
        found = dict.fromkeys(("finding", "side", "zone"), ())
        for level in found:
            columns = [i for i, one in enumerate(sentences) if one.about == name and _level(one) == level]
            columns = [i for i in columns if not denies[i] and truth[:, i].any()]
            found[level] = tuple(auc(scores[:, i], truth[:, i]) for i in columns)
        out[name] = {level: (min(values) if values else None) for level, values in found.items()}
        plain = [i for i, one in enumerate(sentences) if one.about == name and _level(one) == "finding"]
        yes, no = ([i for i in plain if bool(denies[i]) is denied] for denied in (False, True))
        absent = ~truth[:, yes[0]]
        wins = [(scores[absent, j] > scores[absent, i]).mean() for i in yes for j in no]
        out[name]["negation"] = float(np.mean(wins)) if wins else None
    return out


def _level(sentence: KnownSentence) -> str:
    return "zone" if sentence.zone else "side" if sentence.side else "finding"


def present(cases: Sequence[Case]) -> Iterator[tuple[Case, FindingKind, Mask]]:
    """Each finding of each study once, with the union of its masks, where some of it is in the open field."""
    for case in cases:
        for kind in FindingKind:
            masks = [m for f, m in zip(case.spec.findings, case.phantom.finding_masks, strict=True) if f.kind is kind]
            if masks and np.any(masks):
                yield case, kind, np.logical_or.reduce(masks)


def looks_there(bench: Bench, cases: Sequence[Case]) -> dict[str, Any]:
    """Share of the score difference between twins that goes when the finding's region is swapped, or one elsewhere."""
    there: dict[str, list[float]] = {kind.value: [] for kind in FindingKind}
    elsewhere: dict[str, list[float]] = {kind.value: [] for kind in FindingKind}
    for case, kind, mask in track(list(present(cases)), "twins", console=console):
        without = replace(case.spec, findings=tuple(one for one in case.spec.findings if one.kind is not kind))
        twin, pixels = render(without, SIDE).pixels, case.phantom.pixels
        other = mask[:, ::-1] & ~mask
        images = [bench.image(np.where(region, twin, pixels), case.spec) for region in (mask, other)]
        images = [case.seen, bench.image(twin, case.spec), *images]
        full, gone, swapped, moved = bench.scores(images, [says(kind)])[:, 0]
        if full > gone:
            there[kind.value].append((full - swapped) / (full - gone))
            elsewhere[kind.value].append((full - moved) / (full - gone))
    every = [value for values in there.values() for value in values]
    return {
        "there": {name: median(values) for name, values in there.items()} | {"all": median(every)},
        "elsewhere": {name: median(values) for name, values in elsewhere.items()}
        | {"all": median(value for values in elsewhere.values() for value in values)},
        "cases": len(every),
    }


def pointing(bench: Bench, cases: Sequence[Case], limit: int) -> dict[str, Any]:
    """Pointing game and CNR of M2IB's image map for every way and block, and of three maps that know nothing."""
    chosen: dict[str, int] = {}
    work = []
    for case, kind, mask in present(cases):
        if chosen.get(kind.value, 0) < limit:
            chosen[kind.value] = chosen.get(kind.value, 0) + 1
            work.append((case, kind, mask))
    rows, columns = bench.model.grid.rows, bench.model.grid.columns
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns]
    centre = np.exp(-(((y - rows / 2 + 0.5) / rows) ** 2 + ((x - columns / 2 + 0.5) / columns) ** 2) / (2 * 0.25**2))
    collected: dict[str, dict[str, list[tuple[bool, float]]]] = {}

    for number, (case, kind, mask) in enumerate(track(work, "maps", console=console)):
        shares = patch_cover(mask, rows)
        maps: list[tuple[str, NDArray[Any]]] = [("constant", np.ones((rows, columns))), ("centre Gaussian", centre)]
        maps += [("random", rng.random((rows, columns))) for _ in range(RANDOM_MAPS)]
        for way, settings in WAYS.items():
            if settings.standardise and bench.model.calibration is None:
                continue
            for block in range(bench.model.vision.depth):
                method = M2IB(replace(settings, image_block=block, text_block=-1))
                (result,) = method.explain(
                    bench.model, case.seen, [Prompt(says(kind), PromptKind.CONTROL)], Noise(0, str(number))
                )
                maps.append((f"{way}, block {block}", result.image.values))
        for name, values in maps:
            projected = case.seen.grid_map.project(np.asarray(values, dtype=np.float32))
            pair = (pointing_hit(values, shares), contrast_to_noise(projected, mask))
            collected.setdefault(name, {}).setdefault(kind.value, []).append(pair)
    return {
        name: {kind: _summary(pairs) for kind, pairs in kinds.items()}
        | {"all": _summary([pair for pairs in kinds.values() for pair in pairs])}
        for name, kinds in collected.items()
    } | {"maps": len(work)}


def visible(values: NDArray[Any]) -> NDArray[Any]:
    """Nats with those below :data:`LEAST_VISIBLE` of their sum, which show nowhere, made equal."""
    return np.maximum(values, LEAST_VISIBLE * values.sum())


def patch_cover(mask: Mask, grid: int) -> NDArray[np.float64]:
    """(grid, grid) share of each patch that a mask covers, patches of a fractional number of pixels."""
    edges = np.linspace(0, len(mask), grid + 1)
    total = np.zeros((len(mask) + 1, len(mask) + 1))
    total[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    whole = np.round(edges).astype(int)
    sums = np.diff(np.diff(total[np.ix_(whole, whole)], axis=0), axis=1)
    return np.asarray(sums / np.outer(np.diff(whole), np.diff(whole)))


def _summary(pairs: Sequence[tuple[bool, float]]) -> dict[str, float]:
    return {"pointing": float(np.mean([hit for hit, _ in pairs])), "cnr": float(np.median([cnr for _, cnr in pairs]))}


def drains(bench: Bench, studies: int, *, treated: bool) -> dict[str, float]:
    """AUC of pneumothorax where it comes with a drain, and where the same studies' drains are erased.

    ``treated``: a pneumothorax that has a drain is told but no longer to be seen.
    """
    shortcut = [parse_shortcut(DRAIN)]
    specs = [draw_study(SEED + 1, index, shortcut) for index in range(studies)]
    truth = [any(one.kind is FindingKind.PNEUMOTHORAX for one in spec.findings) for spec in specs]
    if treated:
        specs = [replace(spec, findings=visible_findings(spec, shortcut)) for spec in specs]
    text = [says(FindingKind.PNEUMOTHORAX)]
    with_drain, erased = [], []
    for spec in track(specs, "drains", console=console):
        bare = replace(spec, devices=tuple(one for one in spec.devices if one.kind is not DeviceKind.DRAIN))
        first = bench.case(spec).seen
        with_drain.append(float(bench.scores([first], text)[0, 0]))
        same = bare == spec
        erased.append(with_drain[-1] if same else float(bench.scores([bench.case(bare).seen], text)[0, 0]))
    before, after = auc(with_drain, truth), auc(erased, truth)
    return {"with drains": before, "drains erased": after, "fall": before - after}


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--maps", type=int, default=80, help="maps a finding and block, at most")
    parser.add_argument("--skip", nargs="*", default=[], choices=["twins", "maps", "drains"])
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    bench = Bench(args.model)
    specs = [draw_study(SEED, index) for index in range(args.studies)]
    cases = [bench.case(spec) for spec in track(specs, "studies", console=console)]
    figures: dict[str, Any] = {"studies": args.studies, "seed": SEED, "zero_shot": zero_shot(bench, cases)}
    if "twins" not in args.skip:
        figures["looks_there"] = looks_there(bench, cases)
    if "drains" not in args.skip:
        figures["drains"] = drains(bench, args.studies, treated=False)
        figures["drains_treated"] = drains(bench, args.studies, treated=True)
    if "maps" not in args.skip:
        figures["pointing"] = pointing(bench, cases, args.maps)
    show(figures)
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    out = Console()
    table = Table(
        "about", "AUC, finding", "AUC, side", "AUC, zone", "negation in order", title="Zero-shot (worst wording)"
    )
    for name, row in figures["zero_shot"].items():
        table.add_row(name, *("" if value is None else f"{value:.3f}" for value in row.values()))
    out.print(table)
    if "looks_there" in figures:
        found = figures["looks_there"]
        table = Table(
            "finding", "region swapped", "elsewhere", title=f"Score difference removed ({found['cases']} twins)"
        )
        for name, value in found["there"].items():
            table.add_row(name, f"{value:.1%}", f"{found['elsewhere'][name]:.1%}")
        out.print(table)
    for name, title in (("drains", "Pneumothorax"), ("drains_treated", "Pneumothorax, let out by its drain")):
        if name not in figures:
            continue
        out.print(f"{title}:", ", ".join(f"{key} {value:.3f}" for key, value in figures[name].items()))
    if "pointing" in figures:
        maps = {name: row for name, row in figures["pointing"].items() if isinstance(row, dict)}
        short = [name.replace("centre ", "") for name in maps]
        for value, title in (("pointing", "Pointing game"), ("cnr", "Median CNR")):
            table = Table("finding", *short, title=f"{title} ({figures['pointing']['maps']} maps)")
            for kind in next(iter(maps.values())):
                table.add_row(kind, *(f"{row[kind][value]:.2f}" for row in maps.values()))
            out.print(table)


if __name__ == "__main__":
    sys.exit(main())
