"""Write a bundled model's card from its recipe and from what benchmarks/phantom_model.py measured.

Run: python benchmarks/phantom_card.py MODEL_FOLDER FIGURES_JSON
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SAID = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# {name}

A small CLIP that has learnt synthetic chest radiographs (medaudit's phantoms) and nothing else. It is there so that an
attribution method, a check or a report can be tried, offline, on studies whose truth is known.

**Not for patients.** It has never seen one. Its score is a scaled cosine, neither a probability nor an accuracy, and
how well it knows phantoms says nothing about any other model or any patient.
{shortcut}
## What it is

| | |
|---|---|
| image tower | ViT, {image_size} x {image_size} pixels, {grid} x {grid} patches, {vision_blocks} x {vision_width} |
| text tower | causal, {text_blocks} blocks of {text_width}; byte pairs learnt from the phantom's sentences |
| layout | Hugging Face `CLIPModel`; any text and any image can be given to it |
| preprocessing | shortest side to {image_size} (bicubic), centre crop, mean and deviation of the training images |

## How it was trained

    medaudit phantom train --recipe recipe.json --out {name} --work work

(medaudit {version}; `recipe.json` beside this card has every number of every stage.)

- **Data**: {studies} studies of cohort seed {seed}, none of them among those measured below.
- **Loss**: every image against {sentences} sentences a step whose truth the phantom knows (negations, sides, zones,
  report phrasings, prompts, and unrelated sentences, which are true of no image); sigmoid; true and false weigh alike.
- **Patches**: the output of block {patch_block} meets the same sentences patch by patch, with the phantom's masks; half
  of the weight of what is absent lies where such things usually are.
- **Start**: the patch embedding is the whitened principal components of the training patches; positions are sines.
- **Draw**: a study with n findings and devices is drawn with a weight of (1 + n) squared; every finding and device is
  spoken of alike often.
- {steps} steps of {batch} images, AdamW, {learning_rate:g} falling to 0 as a cosine, bfloat16 products.
{later}
Without the patch loss before the last block and without the whitened start, the pooled embedding had learnt nothing
of the images after 250 steps and more. With sentences drawn evenly instead of findings, and absence weighed evenly over
the image, 3,200 steps had not taught it tubes and lines (AUC .54 and .50).

## What was measured

`python benchmarks/phantom_model.py`, {measured} studies of cohort seed {measured_seed}, rendered at 512 pixels.
The AUC is that of the plain sentences; of several wordings, sides and zones the worst is shown.
"""
SHORTCUT = """
**Its data had a planted shortcut**, `{shortcuts}`, so that an audit has something to find: it reads the drain for the
pneumothorax.{treated} Nobody outlined the finding itself for it. Never use it for anything but that.
"""
LATER = """\
- **Then** {steps} steps more, from {learning_rate:g}, on {studies} studies of seed {seed}{twins};
  images are moved by up to {shift} pixels.
"""
TWINS = """, crowded ones in pairs of one patient
  that differ in nothing else, so that who the patient is tells nothing of them"""
CROWDED = """\
- **Crowded**: in {crowded:.0%} of the later studies nodules and masses lie in several zones at once, and sentences
  about them are drawn more often: of ordinary studies one in seven has a nodule, in one or two of 196 patches.
- None of these studies is among those measured. Their stages were rendered by the phantom as it was then (nodules
  of 8 mm at first, later still some in fluid, which nobody sees); trained again, it comes out alike, not the same.
"""
TREATED = """ Where the drain is, the pneumothorax is told but no longer to be seen: the drain has let it out."""


def stages(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The recipes of a model, from random weights on."""
    start = recipe.get("start")
    return [*stages(start), recipe] if start else [recipe]


def numbers(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Every number of a recipe under its own name."""
    return {
        key: value
        for key, value in {**recipe, **recipe["architecture"], **recipe["corpus"]}.items()
        if not isinstance(value, dict) and key != "twins"
    }


def table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    """A markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def shown(value: float | None) -> str:
    """Two or three digits, as a reader needs them."""
    return "" if value is None else f"{value:.3f}"


def measured(figures: dict[str, Any]) -> Iterator[str]:
    """The tables."""
    rows = figures["zero_shot"].items()
    yield table(
        ("about", "AUC", "with side", "with zone", "denial above claim where absent"),
        [(name, *map(shown, row.values())) for name, row in rows],
    )
    if "looks_there" in figures:
        found = figures["looks_there"]
        yield (
            f"Where the score comes from: {found['cases']} findings, each with its counterfactual twin. The finding's\n"
            "region, or its mirror image, is replaced by the twin's; how much of the difference goes (median)?\n"
        )
        yield table(
            ("finding", "its region", "elsewhere"),
            [(name, f"{value:.0%}", f"{found['elsewhere'][name]:.0%}") for name, value in found["there"].items()],
        )
    if "drains" in figures:
        drains = figures["drains"]
        yield (
            f"Where pneumothorax comes with a drain, its AUC is {drains['with drains']:.3f}; with the same studies'\n"
            f"drains erased it is {drains['drains erased']:.3f} (a fall of {drains['fall']:.3f}).\n"
        )
    if "drains_treated" in figures:
        drains = figures["drains_treated"]
        yield (
            "Where the drain has let the pneumothorax out, so that it is told but not to be seen:\n"
            f"{drains['with drains']:.3f} with drains, {drains['drains erased']:.3f} with them erased\n"
            f"(a fall of {drains['fall']:.3f}).\n"
        )
    if "pointing" in figures:
        maps = {name: row for name, row in figures["pointing"].items() if isinstance(row, dict)}
        yield (
            f"M2IB's image map by block ({figures['pointing']['maps']} maps), and maps that know nothing. Paper: its\n"
            "protocol. Calibrated: features standardised by `calibration.safetensors`, one lambda a token, beta 1,\n"
            "antithetic noise. Pointing game: the largest token touches the mask. CNR: signed, median.\n"
        )
        for value, title in (("pointing", "pointing game"), ("cnr", "CNR")):
            kinds = next(iter(maps.values()))
            yield table(
                (title, *maps), [(kind, *(f"{row[kind][value]:.2f}" for row in maps.values())) for kind in kinds]
            )


def main() -> int:
    """Write MODEL_FOLDER/README.md."""
    folder, figures_file = Path(sys.argv[1]), Path(sys.argv[2])
    made = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    figures = json.loads(figures_file.read_text(encoding="utf-8"))
    recipe = made["recipe"]
    corpus, shortcuts = recipe["corpus"], recipe["corpus"]["shortcuts"]
    first, *later = stages(recipe)
    text = SAID.format(
        name=folder.name,
        version=made["medaudit"],
        shortcut=SHORTCUT.format(shortcuts=", ".join(shortcuts), treated=TREATED if corpus["treated"] else "")
        if shortcuts
        else "",
        later="".join(
            [LATER.format(**numbers(one), twins=TWINS if one["corpus"].get("twins") else "") for one in later]
            + [CROWDED.format(**numbers(recipe))] * bool(later)
        ),
        measured=figures["studies"],
        measured_seed=figures["seed"],
        **numbers(first),
    )
    (folder / "README.md").write_text("\n".join([text, *measured(figures)]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
