"""The command line: one command a use. It parses arguments and draws progress; the work is done elsewhere.

Every command imports what it needs when it runs, so that ``medaudit --help`` answers at once and the report
and the viewer never load torch. The only module that reads the environment.
"""

import json
import os
import shutil
import sys
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from medaudit.errors import MedauditError, ModelError, UsageError

EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="medaudit",
    help="Audit a medical image-text model without labels: what do its scores rest on?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
pipelines_app = typer.Typer(help="List, show and validate pipeline files.", no_args_is_help=True)
app.add_typer(pipelines_app, name="pipelines")
models_app = typer.Typer(help="List, fetch and verify the models that can be audited.")
app.add_typer(models_app, name="models")
phantom_app = typer.Typer(help="Make synthetic studies whose truth is known.", no_args_is_help=True)
app.add_typer(phantom_app, name="phantom")
journal_app = typer.Typer(help="The journal of the reviews.", no_args_is_help=True)
app.add_typer(journal_app, name="journal")

AuditFolder = Annotated[Path, typer.Argument(metavar="AUDIT_DIR", help="The folder that `medaudit audit` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for a program to read.")]
ReviewDatabase = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="PostgreSQL for several readers, without a password [default: reviews.sqlite in AUDIT_DIR]."
    ),
]
ModelsFolder = Annotated[
    Path | None,
    typer.Option("--models-folder", help="Where model folders lie [default: $MEDAUDIT_MODELS or per user]."),
]


class ReportFormat(StrEnum):
    """The kinds of file that ``medaudit report`` writes, by name; see :class:`medaudit.report.write.Format`."""

    PDF = "pdf"
    HTML = "html"
    JSON = "json"
    CSV = "csv"
    FHIR = "fhir"


def main() -> NoReturn:
    """Run the command line; errors become one message on stderr and an exit code."""
    try:
        code = app(standalone_mode=False)  # what a command gave to typer.Exit, else None
    except MedauditError as error:
        _fail(str(error), EXIT_USAGE)
    except Exception as error:
        # Typer's own errors (unknown option, wrong value) know how to show themselves.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            sys.exit(error.exit_code)
        raise
    if code == EXIT_INTERRUPTED:  # typer's own answer to Ctrl-C
        _fail(
            "interrupted; what was finished is kept: go on with --resume (audit) or the same command (phantom train)",
            EXIT_INTERRUPTED,
        )
    sys.exit(code or 0)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"medaudit: {message}", err=True)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _root(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from medaudit import __version__

        typer.echo(f"medaudit {__version__}")
        sys.exit(0)


@app.command()
def audit(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A DICOM file, folder, zip archive or DICOMDIR; or PNG, JPEG, TIFF with a manifest (see --manifest).",
        ),
    ],
    *,
    model: Annotated[str, typer.Option(help="A model folder, or the name of a model (see `medaudit models`).")],
    out: Annotated[Path, typer.Option(metavar="AUDIT_DIR", help="Where the audit is written.")],
    pipeline: Annotated[str, typer.Option(help="A shipped pipeline by name, or a file.")] = "chest-radiograph",
    checks: Annotated[
        str | None, typer.Option(help="maps, fast or full: how much is checked [default: the pipeline's, else fast].")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Audit at most this many studies.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the audit in AUDIT_DIR.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of all noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    report_text: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Report text keyed by StudyInstanceUID or AccessionNumber.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="What plain images (PNG, JPEG, TIFF) show, one row each [default: manifest.csv in INPUT].",
        ),
    ] = None,
    keep_identifiers: Annotated[
        bool, typer.Option("--keep-identifiers", help="Keep patient and study identifiers in the audit.")
    ] = False,
    allow_download: Annotated[
        bool,
        typer.Option("--allow-download", help="Fetch a known model if it is not here. The only use of the network."),
    ] = False,
    reports: Annotated[bool, typer.Option("--reports/--no-reports", help="Write a PDF for every study.")] = True,
    models_folder: ModelsFolder = None,
    as_json: AsJson = False,
) -> None:
    """Audit a model on DICOM studies.

    Maps, words and checks, and a PDF for every study.

    Exit code: 0 all done, 1 some studies or files failed, 2 the request cannot be carried out.
    """
    from medaudit.console import run_with_progress
    from medaudit.pipeline.load import load_pipeline, with_checks
    from medaudit.report.layout import find_layout

    loaded = with_checks(load_pipeline(pipeline), checks)
    find_layout(loaded.spec.report.layout)
    folder = _find_model(model, models_folder, allow_download=allow_download)
    from medaudit.pipeline.run import AuditRequest

    request = AuditRequest(
        source=source,
        folder=out,
        pipeline=loaded,
        model_folder=folder,
        device=device,
        seed=seed,
        limit=limit,
        resume=resume,
        keep_identifiers=keep_identifiers,
        sidecar=report_text,
        manifest=manifest,
    )
    if not run_with_progress(request, reports=reports, as_json=as_json, program=_program()):
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command()
def cohort(
    folder: AuditFolder,
    *,
    pipeline: Annotated[
        str | None, typer.Option(help="Whose thresholds count: a shipped pipeline, or a file [default: own].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the studies of an audit with each other again.

    Shortcuts, groups, agreement with reports; needs no model.
    """
    from dataclasses import asdict

    from medaudit.console import print_cohort
    from medaudit.pipeline.audit_cohort import compare_studies

    found = compare_studies(folder, pipeline)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        print_cohort(found)


@app.command()
def report(
    folder: AuditFolder,
    *,
    study: Annotated[list[str] | None, typer.Option(help="Only this study (its code); may be repeated.")] = None,
    layout: Annotated[str | None, typer.Option(help="A shipped layout by name, or a file.")] = None,
    logo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PNG or JPEG at the top of every page [default: the layout's].")
    ] = None,
    form: Annotated[
        ReportFormat, typer.Option("--format", help="pdf, html (one file that loads nothing), json, csv, fhir (R4).")
    ] = ReportFormat.PDF,
    as_json: AsJson = False,
) -> None:
    """Write the reports again, from the store alone.

    One a study, and one of all unless --study names some.
    """
    from medaudit.console import write_reports_with_progress

    outcome = write_reports_with_progress(folder, study, layout, form, logo=logo, quiet=as_json)
    failures = [{"study": code, "error": kind, "message": message} for code, kind, message in outcome.failed]
    if as_json:
        typer.echo(json.dumps({"written": [str(path) for path in outcome.written], "failed": failures}))
    else:
        count = len(outcome.written)
        typer.echo(f"{count} {form.upper()} report{'' if count == 1 else 's'} in {folder / 'reports'}")
        for failure in failures:
            typer.echo(f"failed: {failure['study']}: {failure['error']}: {failure['message']}", err=True)
    if failures:
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command()
def review(
    folder: AuditFolder,
    *,
    port: Annotated[int | None, typer.Option(min=1024, max=65535, help="Port on 127.0.0.1.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    reader: Annotated[str, typer.Option(help="Who reviews, where nobody logs in.")] = "reader",
    database: ReviewDatabase = None,
    roles: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="Who may do what; readers then log in by OpenID Connect."),
    ] = None,
    secrets: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Streamlit's secrets with the [auth] of that login.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="AUDIT_DIR", help="A second audit of the same pictures: its maps are shown beside."),
    ] = None,
    light: Annotated[bool, typer.Option("--light", help="Light instead of dark.")] = False,
    set_passphrase: Annotated[
        bool, typer.Option("--set-passphrase", help="Set the reader's passphrase for signing, and stop.")
    ] = False,
) -> None:
    """Open the viewer on 127.0.0.1: read, review and sign."""
    if set_passphrase:
        from medaudit.store.verification import open_reviews

        with open_reviews(folder, database) as reviews:
            text = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
            reviews.set_passphrase(reader, text)
        typer.echo(f"passphrase of {reader} set; its hash is kept with the reviews")
        return
    from medaudit.viewer.serve import serve
    from medaudit.viewer.settings import Settings

    settings = Settings(folder, reader, database, roles, compare)
    raise typer.Exit(serve(settings, port=port, open_browser=browser, secrets=secrets, light=light))


@journal_app.command("verify")
def journal_verify(
    folder: AuditFolder,
    *,
    head: Annotated[
        list[str] | None, typer.Option(help="A head digest that was kept elsewhere; may be repeated.")
    ] = None,
    database: ReviewDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Check that no review, signature or journal entry was changed, removed or moved.

    Exit code: 0 all holds, 1 something does not.
    """
    from dataclasses import asdict

    from medaudit.store.verification import verify_reviews

    found = verify_reviews(folder, database, tuple(head or ()))
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        counted = f"journal entries: {found.entries}, signatures: {found.signatures}, faults: {len(found.faults)}"
        typer.echo(f"{counted}\nhead: {found.head}")
        for fault in found.faults:
            typer.echo(f"FAULT: {fault}", err=True)
    if found.faults:
        raise typer.Exit(EXIT_SOME_FAILED)


@pipelines_app.command("list")
def pipelines_list(*, as_json: AsJson = False) -> None:
    """List the pipelines that ship with medaudit."""
    from medaudit.pipeline.load import load_pipeline
    from medaudit.resources import pipelines_folder, shipped

    specs = [load_pipeline(name).spec for name in shipped(pipelines_folder())]
    if as_json:
        typer.echo(json.dumps([{"name": spec.name, "title": spec.title} for spec in specs]))
        return
    for spec in specs:
        typer.echo(f"{spec.name:20} {spec.title}")


@pipelines_app.command("show")
def pipelines_show(name: Annotated[str, typer.Argument(help="A shipped pipeline, or a file.")]) -> None:
    """Print a pipeline file, to copy and edit."""
    from medaudit.pipeline.load import find_pipeline

    typer.echo(find_pipeline(name).read_text(encoding="utf-8"), nl=False)


@pipelines_app.command("validate")
def pipelines_validate(name: Annotated[str, typer.Argument(help="A shipped pipeline, or a file.")]) -> None:
    """Check a pipeline file; every mistake is shown with file, line and key."""
    from medaudit.pipeline.load import load_pipeline
    from medaudit.report.layout import find_layout

    pipeline = load_pipeline(name)
    find_layout(pipeline.spec.report.layout)
    typer.echo(f"{pipeline.path.name}: valid; {len(pipeline.spec.prompts.ask())} prompts an image")


@phantom_app.command("make")
def phantom_make(
    *,
    studies: Annotated[int, typer.Option(min=1, help="How many studies.")],
    seed: Annotated[int, typer.Option(min=0, help="Of everything; same seed, same bytes.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets the DICOM files; empty or new.")],
    truth: Annotated[Path, typer.Option(metavar="DIR", help="Gets masks and sentences; apart from --out.")],
    shortcut: Annotated[
        list[str] | None,
        typer.Option(metavar="FINDING:FEATURE=P[/Q]", help="Tie a feature to a finding; may be repeated."),
    ] = None,
    kind: Annotated[str, typer.Option(help="chest-radiograph or chest-ct.")] = "chest-radiograph",
    side: Annotated[
        int | None, typer.Option(min=64, help="Rows and columns, a multiple of 32 [default: 512; 256 of a CT].")
    ] = None,
) -> None:
    """Make chest studies with known truth, as DICOM with reports; the truth goes to a folder of its own."""
    from medaudit.phantom.make import make_studies, phantom_kind
    from medaudit.phantom.shortcuts import parse_shortcut

    wanted, shortcuts = phantom_kind(kind), [parse_shortcut(text) for text in shortcut or ()]
    with typer.progressbar(length=studies, label="studies", file=sys.stderr) as bar:
        make_studies(
            out,
            truth,
            studies,
            seed,
            shortcuts,
            kind=wanted,
            side=side,
            on_study=lambda done: bar.update(done - bar.pos),
        )
    typer.echo(f"{studies} studies in {out}, their truth in {truth}")


@phantom_app.command("train")
def phantom_train(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets the model folder; empty or new.")],
    work: Annotated[Path, typer.Option(metavar="DIR", help="Training images and checkpoint, about 50 kB a study.")],
    studies: Annotated[int, typer.Option(min=96, help="Studies to learn from.")] = 30_000,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 3_200,
    loss: Annotated[str, typer.Option(help="sigmoid, clip or dhn-nce.")] = "sigmoid",
    seed: Annotated[int, typer.Option(min=0, help="Of studies, weights and batches.")] = 1,
    shortcut: Annotated[
        list[str] | None,
        typer.Option(metavar="FINDING:FEATURE=P[/Q]", help="Tie a feature to a finding; may be repeated."),
    ] = None,
    treated: Annotated[
        bool, typer.Option("--treated", help="A finding whose tied feature is there is told but no longer to be seen.")
    ] = False,
    crowded: Annotated[
        float, typer.Option(min=0, max=1, help="Share of studies with nodules and masses in several zones.")
    ] = 0.0,
    start: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on from this trained model; default: random weights.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A trained model's recipe.json, all its stages, in place of the options above."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processes that render, threads that train.")] = 1,
) -> None:
    """Train a small CLIP on phantoms, as the bundled models were; the same call goes on after an interruption."""
    from medaudit import __version__
    from medaudit.console import TrainingConsole
    from medaudit.training.export import read_recipe, recipe_in
    from medaudit.training.recipe import recipe_for
    from medaudit.training.run import train

    if recipe:
        _alone(context, "recipe", beside=("out", "work", "threads"))
        wanted = recipe_in(recipe)
    else:
        wanted = recipe_for(
            studies=studies,
            steps=steps,
            loss=loss,
            seed=seed,
            shortcuts=shortcut or (),
            treated=treated,
            crowded=crowded,
            start=read_recipe(start) if start else None,
        )
    with TrainingConsole() as console:
        train(out, work, wanted, console, start=start, threads=threads, version=__version__)
    typer.echo(f"model in {out}; {work} can be removed. Measure it: python benchmarks/phantom_model.py {out}")


def _alone(context: typer.Context, name: str, *, beside: Collection[str]) -> None:
    """Refuse an option that ``name`` would silently override."""
    for other in context.params:
        source = context.get_parameter_source(other)
        if other != name and other not in beside and source is not None and source.name == "COMMANDLINE":
            msg = f"--{other}: cannot be given beside --{name}, which says it; leave one out"
            raise UsageError(msg)


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, *, models_folder: ModelsFolder = None, as_json: AsJson = False) -> None:
    """List the models that medaudit knows, and whether they are on this machine."""
    if context.invoked_subcommand is not None:
        return
    from medaudit.models.catalogue import KNOWN_MODELS

    folder = _models_folder(models_folder)
    rows = [
        {
            "name": model.name,
            "architecture": model.architecture,
            "input": model.input,
            "licence": model.licence,
            "source": model.source,
            "here": model.is_in(folder),
        }
        for model in KNOWN_MODELS
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    from medaudit.console import print_table

    print_table("Models", rows)
    typer.echo(f"Model folders lie in {folder}; the folder of a model of one's own can be given by its path.")


@models_app.command("fetch")
def models_fetch(
    name: Annotated[str, typer.Argument(help="A known model (see `medaudit models`).")],
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="[default: NAME in the models folder]")] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="A file that was fetched by hand; may be repeated. No network."),
    ] = None,
    models_folder: ModelsFolder = None,
) -> None:
    """Make a local bundle: the model's files, its licence, revision and checksums."""
    from medaudit.models.bundle import fetch_model
    from medaudit.models.catalogue import known_model

    model = known_model(name)
    folder = fetch_model(name, to or _models_folder(models_folder) / name, sources or ())
    typer.echo(f"{name} in {folder}\nLicence: {model.licence}\nSource: {model.address}")
    if model.intended_use:
        typer.echo(f"Intended use: {model.intended_use}")


@models_app.command("verify")
def models_verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A model folder that `medaudit models fetch` made.")],
    *,
    contract: Annotated[
        bool, typer.Option("--contract", help="Also run the adapter's contract on it: minutes for a full-size model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a bundle: its files against their checksums, that it loads, and whether it reacts as a model should.

    Exit code: 0 all holds, 1 something does not.
    """
    from medaudit.models.examination import examine_bundle

    found = examine_bundle(folder, contract=contract)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    else:
        typer.echo("\n".join(found.lines()))
    if not found.holds:
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command()
def calibrate(
    sources: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="DICOM files, folders, zip archives; no labels are needed.")
    ],
    *,
    model: Annotated[str, typer.Option(help="A model folder, or the name of a model (see `medaudit models`).")],
    pipeline: Annotated[
        str, typer.Option(help="Which images are taken, how they are shown, and which sentences are asked.")
    ] = "chest-radiograph",
    limit: Annotated[int | None, typer.Option(min=1, help="Images at most.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    models_folder: ModelsFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure what a model's features usually are.

    On unlabeled images; written beside its weights.

    M2IB's settings `standardise` and `target: contrastive` need it, and so does the check for unusual pictures.
    """
    from medaudit.console import calibrate_with_progress
    from medaudit.pipeline.load import load_pipeline

    loaded = load_pipeline(pipeline)
    folder = _find_model(model, models_folder, allow_download=False)
    calibrate_with_progress(folder, sources, loaded, device=device, limit=limit, as_json=as_json)


@app.command()
def methods(*, as_json: AsJson = False) -> None:
    """List the attribution methods.

    What their numbers are, on which sides, and what they need of a model.
    """
    from medaudit.attribution.registry import listing

    rows = listing()
    if as_json:
        typer.echo(json.dumps(rows))
        return
    typer.echo(f"{'method':21} {'its numbers are':16} {'sides':12} needs")
    for row in rows:
        typer.echo(f"{row['name']:21} {row['quantity']:16} {row['sides']:12} {row['needs']}")
    typer.echo("Papers, cost and settings: medaudit methods --json, and docs/methods.md")


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Check this machine.

    Versions, decoders (by decoding), device, disk.
    """
    from medaudit.console import print_doctor
    from medaudit.pipeline.doctor import examine

    examination = examine(_models_folder(None), Path.cwd())
    if as_json:
        typer.echo(json.dumps(examination))
    else:
        print_doctor(examination)


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option(metavar="AUDIT_DIR", help="Where the demo is written.")] = Path("demo-audit"),
) -> None:
    """Run the main job on six phantom studies.

    With the bundled model that has learnt them.
    """
    from medaudit.console import run_with_progress
    from medaudit.pipeline.demo import prepare_demo

    request = prepare_demo(out)
    typer.echo(
        "Six phantom studies: nobody is in them. The model, phantom-clip, has learnt phantoms and nothing else: "
        "it is not for patients."
    )
    if not run_with_progress(request, program=_program()):
        raise typer.Exit(EXIT_SOME_FAILED)


def _program() -> str:
    """How this program was called: ``medaudit`` where that is on PATH, else the path that was given."""
    return "medaudit" if shutil.which("medaudit") else os.path.relpath(sys.argv[0])


def _models_folder(given: Path | None) -> Path:
    if given is not None:
        return given
    from_environment = os.environ.get("MEDAUDIT_MODELS")
    if from_environment:
        return Path(from_environment)
    import platformdirs

    return platformdirs.user_data_path("medaudit") / "models"


def _find_model(name: str, models_folder: Path | None, *, allow_download: bool) -> Path:
    from medaudit.models.bundle import fetch_model
    from medaudit.models.catalogue import find_model

    folder = _models_folder(models_folder)
    try:
        return find_model(name, folder)
    except ModelError:
        if not allow_download:
            raise
        return fetch_model(name, folder / name)
