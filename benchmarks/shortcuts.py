"""Is a planted shortcut found, and a clean model cleared? Whole audits of phantom cohorts, without a label.

    python benchmarks/shortcuts.py WORK                       # phantom-clip-drain and phantom-clip, 200 studies
    python benchmarks/shortcuts.py WORK --train               # and two models with other shortcuts, taught here
    python benchmarks/shortcuts.py WORK --clean 20            # and how often phantom-clip raises a false alarm

Features and findings are independent in the audited phantoms; only what a model was trained on tied them. MaskCLIP
makes the maps, in one pass: what is compared across studies are scores. WORK keeps studies, models and audits, so a
run that was stopped goes on. A training takes about a quarter of an hour.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from medaudit import __version__
from medaudit.console import print_cohort
from medaudit.phantom.make import make_studies
from medaudit.pipeline.audit_cohort import compare_studies
from medaudit.pipeline.load import Pipeline, load_pipeline
from medaudit.pipeline.run import AuditRequest, run_audit
from medaudit.pipeline.spec import AttributionChoice
from medaudit.records import CohortAudit
from medaudit.resources import bundled_models_folder
from medaudit.store.audit_store import AuditStore
from medaudit.training.export import read_recipe
from medaudit.training.recipe import recipe_for
from medaudit.training.run import train


@dataclass(frozen=True)
class Planted:
    """What a model was made to rely on: the finding of which check names it."""

    check: str
    against: str
    finding: str


BUNDLED = {"phantom-clip-drain": Planted("shortcut", "chest drain", "pneumothorax"), "phantom-clip": None}
TRAINED = {
    "nodule:text=0.95/0.02": Planted("shortcut", "burned-in text (picture)", "pulmonary nodule"),
    "nodule:vendor-cedar=0.95/0.02": Planted("subgroup", "Manufacturer = Cedar Medical", "pulmonary nodule"),
}
SURELY_FALSE = ("shortcut", "erasure", "subgroup", "drift")
"""Checks of which every finding on a clean cohort is a false alarm: the phantom deals all features by chance."""


class Silent:
    """Hears of progress and says nothing."""

    def __getattr__(self, _name: str) -> object:
        return lambda *_arguments, **_named: None


def cheap(pipeline: Pipeline) -> Pipeline:
    """The same pipeline with maps of one pass, and no check that changes pictures."""
    choice = AttributionChoice(method="maskclip")
    return replace(pipeline, spec=pipeline.spec.model_copy(update={"attribution": choice, "checks": "maps"}))


def audited(work: Path, name: str, model: Path, studies: int, seed: int) -> CohortAudit:
    """Audit ``studies`` phantoms of a seed; what is there already is not made again."""
    source, folder = work / f"studies-{seed}", work / f"audit-{name}-{seed}"
    if not source.exists():
        make_studies(source, work / f"truth-{seed}", studies, seed, side=448)
    resume = AuditStore.exists(folder)
    run_audit(AuditRequest(source, folder, cheap(load_pipeline("phantom")), model, resume=resume), Silent())
    return compare_studies(folder, "phantom")


def named(shortcut: str) -> str:
    """``nodule:text=0.95/0.02`` as ``nodule-text``."""
    return shortcut.partition("=")[0].replace(":", "-")


def trained(work: Path, shortcut: str, steps: int) -> Path:
    """phantom-clip, taught on by studies in which a finding is told and a feature seen, until it relies on that."""
    folder, training = work / f"model-{named(shortcut)}", work / f"training-{named(shortcut)}"
    if not (folder / "model.safetensors").is_file():
        start = bundled_models_folder() / "phantom-clip"
        recipe = recipe_for(
            studies=4000,
            steps=steps,
            loss="sigmoid",
            seed=5,
            shortcuts=[shortcut],
            treated=True,
            start=read_recipe(start),
        )
        train(folder, training, recipe, Silent(), start=start, version=__version__)
    return folder


def told(found: CohortAudit, planted: Planted | None) -> tuple[str, ...]:
    """Whether it was raised, its rank, its effect and its corrected p; and how many other findings there are."""
    for rank, one in enumerate(found.findings, start=1):
        measured = one.measurement
        if (
            planted
            and (measured.check, measured.against) == (planted.check, planted.against)
            and (planted.finding in measured.subject)
        ):
            low, high = measured.ends or (float("nan"),) * 2
            effect = f"{measured.value:.2f} [{low:.2f}; {high:.2f}]"
            return "yes", str(rank), effect, f"{measured.q:.1g}", str(len(found.findings) - 1)
    return "no", "-", "-", "-", str(len(found.findings))


def main() -> None:
    """Audit, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--train", nargs="*", metavar="SHORTCUT", choices=list(TRAINED), help="all, or some")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--clean", type=int, default=0, metavar="COHORTS")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    console = Console()
    models = [(name, bundled_models_folder() / name, planted) for name, planted in BUNDLED.items()]
    if asked.train is not None:
        models += [
            (named(shortcut), trained(asked.work, shortcut, asked.steps), TRAINED[shortcut])
            for shortcut in asked.train or TRAINED
        ]
    columns = ("model", "planted", "raised", "rank", "effect, 95 %", "corrected p", "other findings")
    table = Table(*columns, title=f"{asked.studies} phantoms, seed {asked.seed}")
    for name, model, planted in models:
        found = audited(asked.work, name, model, asked.studies, asked.seed)
        console.print(f"[bold]{name}[/bold]")
        print_cohort(found)
        says = f"{planted.against} for {planted.finding}" if planted else "nothing"
        table.add_row(name, says, *told(found, planted))
    console.print(table)
    alarms = dict.fromkeys(SURELY_FALSE, 0)
    for cohort in range(asked.clean):
        found = audited(
            asked.work, "phantom-clip", bundled_models_folder() / "phantom-clip", asked.studies, 1000 + cohort
        )
        for check in {one.measurement.check for one in found.findings} & set(SURELY_FALSE):
            alarms[check] += 1
    for check, count in alarms.items() if asked.clean else ():
        console.print(f"{check}: a finding in {count} of {asked.clean} clean cohorts of {asked.studies} studies")


if __name__ == "__main__":
    main()
