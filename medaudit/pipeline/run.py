"""The composition root: a folder of DICOM studies in, an audited store out.

    scan -> choose -> (read -> display -> preprocess -> attribute -> judge) a study at a time -> store

A study is written in one transaction when it is done, so a run may be killed at any instant and resumed.
"""

import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import torch

from medaudit.attribution.registry import build_method
from medaudit.audit.case import Questions
from medaudit.dicom.examine import digest_of
from medaudit.dicom.instance import Conflict
from medaudit.dicom.manifest import find_manifest, read_manifest
from medaudit.dicom.plain import with_plain_images
from medaudit.dicom.privacy import Pseudonyms
from medaudit.dicom.scan import Inventory, Study, scan
from medaudit.errors import StoreError, UsageError
from medaudit.imaging.preprocess import Fit
from medaudit.imaging.regions import TEXT_LIKE
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.registry import load_model
from medaudit.models.sanity import examined
from medaudit.pipeline.audit_cohort import audit_cohort, thresholds_of
from medaudit.pipeline.audit_study import Bench, audit_study
from medaudit.pipeline.choose import Choice, choose
from medaudit.pipeline.estimate import estimate
from medaudit.pipeline.load import Pipeline
from medaudit.pipeline.text import Sentences
from medaudit.records import CohortAudit, FileFate, FileRecord, Prompt, RunRecord
from medaudit.store.audit_store import AuditStore

# What a result depends on; written into every run.
RECORDED_PACKAGES = ("medaudit", "monai", "numpy", "pydicom", "torch", "transformers", "tokenizers", "safetensors")
KEY_FILE = "pseudonym.key"
# Names of the tables in a run's environment, and what is kept of their digests.
MANIFEST = "manifest"
REPORT_TEXT = "report text"
DIGITS = 16


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What a user asks for. ``limit`` is how many studies this run audits at most; None is all.

    ``manifest`` describes plain images of the input; by default its own ``manifest.csv``, where it has one.
    """

    source: Path
    folder: Path
    pipeline: Pipeline
    model_folder: Path
    device: str = "auto"
    seed: int = 0
    limit: int | None = None
    resume: bool = False
    keep_identifiers: bool = False
    sidecar: Path | None = None
    manifest: Path | None = None


class Observer(Protocol):
    """Told of progress; the command line draws it. Codes are pseudonyms."""

    def phase(self, text: str) -> None:
        """Something that has no count began."""

    def scanned(self, files: int) -> None:
        """So many files have been looked at."""

    def planned(self, studies: int, finished: int) -> None:
        """So many studies hold images to audit; so many were finished by an earlier run."""

    def estimated(self, text: str) -> None:
        """What the checks of a long run are about to cost."""

    def study_done(self, store: AuditStore, code: str, *, audited: bool) -> None:
        """A study was written (``audited``), or nothing of it came through."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Headers of the input that disagree: what on, in which studies (their codes), and what a person can do."""

    kind: str
    studies: tuple[str, ...]
    words: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did, skipped and why. ``failures`` are files; ``pending`` studies were not reached.

    ``unmatched_texts`` counts rows of the report text's table that belong to no study of the input,
    ``text_like`` the images of this run on which text-like regions were found. ``contradictions`` are those of the
    whole input, audited or not. ``cohort`` is what all finished studies show together.
    """

    audited: tuple[str, ...]
    resumed: int
    failed: tuple[str, ...]
    pending: int
    failures: tuple[FileRecord, ...]
    unmatched_texts: int = 0
    text_like: int = 0
    contradictions: tuple[Contradiction, ...] = ()
    cohort: CohortAudit | None = None
    fates: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def run_audit(request: AuditRequest, observer: Observer) -> Summary:
    """Audit every study that the request names.

    Raises
    ------
    UsageError
        The input does not exist or holds the audit folder, or a resume does not fit the audit that is there.
    InputError
        The table of report texts, or the manifest of plain images, cannot be read.
    ModelError
        The model cannot be loaded, or a prompt of the pipeline is longer than it reads.
    StoreError
        The folder already holds an audit and ``resume`` is not set, or cannot be written.

    """
    began = time.monotonic()
    if AuditStore.exists(request.folder) and not request.resume:
        msg = f"{request.folder} already holds an audit; add --resume to go on with it, or choose another folder"
        raise StoreError(msg)
    if not request.source.exists():
        msg = f"INPUT {str(request.source)!r} does not exist; give a DICOM file, a folder, a zip archive or a DICOMDIR"
        raise UsageError(msg)
    if request.folder.resolve().is_relative_to(request.source.resolve()):
        # A resume would scan the audit itself.
        msg = f"--out {str(request.folder)!r} lies inside INPUT {str(request.source)!r}; choose a folder outside it"
        raise UsageError(msg)
    spec = request.pipeline.spec
    sentences = Sentences.read(spec.report_text, request.sidecar, spec.terms())
    manifest_path = request.manifest or find_manifest(request.source)
    manifest = read_manifest(manifest_path, request.source) if manifest_path else None
    observer.phase("loading the model")
    model = examined(load_model(request.model_folder, device_of(request.device)))
    prompts = request.pipeline.spec.prompts.ask()
    for text in (*(prompt.text for prompt in prompts), *request.pipeline.spec.prompts.scored()):
        model.tokenize(text)  # one that is too long would fail every image
    run = describe_run(request, model)
    with _open_store(request, run) as store:
        if not (request.folder / KEY_FILE).is_file() and store.files():
            msg = f"{request.folder}: {KEY_FILE} is gone, so this audit's codes cannot be made again; use a new folder"
            raise StoreError(msg)
        bench = _bench(request, model, prompts, sentences)
        observer.phase("scanning")
        inventory = with_plain_images(scan(request.source, on_file=observer.scanned), manifest)
        return replace(_audit_all(inventory, request, bench, store, observer), seconds=time.monotonic() - began)


def describe_run(request: AuditRequest, model: VisionLanguageModel) -> RunRecord:
    """Everything that is needed to repeat the run."""
    spec = request.pipeline.spec
    return RunRecord(
        pipeline_name=spec.name,
        pipeline_yaml=request.pipeline.yaml,
        pipeline_digest=spec.digest(),
        report_layout=spec.report.layout,
        model=model.card,
        seed=request.seed,
        keeps_identifiers=request.keep_identifiers,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={name: version(name) for name in RECORDED_PACKAGES},
        environment={
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "device": str(model.device),
            "threads": str(torch.get_num_threads()),
            "checks": spec.checks,
            **_tables(request),
        },
    )


def _tables(request: AuditRequest) -> dict[str, str]:
    """Digests of the tables that speak beside the images: with other rows, a resume would be another audit."""
    paths = {MANIFEST: request.manifest or find_manifest(request.source), REPORT_TEXT: request.sidecar}
    digests = {}
    for name, path in paths.items():
        if path is not None:
            with path.open("rb") as stream:
                digests[name] = f"sha256 {digest_of(stream)[:DIGITS]}"
    return digests


def _bench(
    request: AuditRequest, model: VisionLanguageModel, prompts: tuple[Prompt, ...], sentences: Sentences
) -> Bench:
    spec = request.pipeline.spec
    return Bench(
        spec=spec,
        prompts=prompts,
        views=spec.display.views(),
        fit=None if spec.fit == "model" else Fit(spec.fit),
        thresholds=thresholds_of(spec),
        questions=Questions(spec.prompts.sides(), spec.prompts.ways_to_say()),
        model=model,
        method=build_method(spec.attribution.method, spec.attribution.settings),
        pseudonyms=Pseudonyms.at(request.folder / KEY_FILE),
        seed=request.seed,
        keep_identifiers=request.keep_identifiers,
        sentences=sentences,
    )


def _audit_all(
    inventory: Inventory, request: AuditRequest, bench: Bench, store: AuditStore, observer: Observer
) -> Summary:
    finished = store.finished()
    plans = [(bench.study_code(study.uid), study, choose(study, bench.spec.images)) for study in inventory.studies]
    waiting = [plan for plan in plans if plan[2].images and plan[0] not in finished]
    store.save_files(_first_ledger(inventory, plans, waiting, bench))
    already = sum(code in finished for code, _, _ in plans)
    pictures = sum(len(choice.images) for _, _, choice in waiting[: request.limit]) * len(bench.views)
    if told := estimate(bench, pictures):
        observer.estimated(told)
    observer.planned(len(waiting) + already, already)
    audited: list[str] = []
    failed: list[str] = []
    text_like = 0
    for code, study, choice in waiting[: request.limit]:
        result = audit_study(study, choice, bench)
        if result.audit is None:
            store.save_files(result.files)
        else:
            store.save_study(result.audit, result.files)
            audited.append(code)
            text_like += sum(_has_text(image.record.notes) for image in result.audit.images)
        if result.failures:
            failed.append(code)
        observer.study_done(store, code, audited=result.audit is not None)
    observer.phase("comparing studies")
    cohort = audit_cohort(store, bench.spec)
    ledger = store.files()
    return Summary(
        audited=tuple(audited),
        resumed=already,
        failed=tuple(failed),
        pending=len(waiting[request.limit :]) if request.limit is not None else 0,
        failures=tuple(file for file in ledger if file.fate is FileFate.FAILED),
        text_like=text_like,
        unmatched_texts=bench.sentences.unmatched(inventory.studies),
        cohort=cohort,
        contradictions=tuple(_contradiction(conflict, bench) for conflict in inventory.conflicts),
        fates=dict(Counter(file.fate.value for file in ledger)),
    )


def _contradiction(conflict: Conflict, bench: Bench) -> Contradiction:
    codes = tuple(bench.study_code(uid) for uid in conflict.study_uids)
    return Contradiction(conflict.kind.value, codes, conflict.words, conflict.kind.remedy)


def _has_text(notes: Sequence[str]) -> bool:
    return any(note.startswith(TEXT_LIKE) for note in notes)


Plan = tuple[str, Study, Choice]


def _first_ledger(
    inventory: Inventory, plans: Sequence[Plan], waiting: Sequence[Plan], bench: Bench
) -> list[FileRecord]:
    """Account for every file before the first study: nothing is lost, however the run ends."""
    reached = {code for code, _, _ in waiting}
    ledger = []
    for other in inventory.others:
        record = bench.file(other.ref, other.fate, other.reason)
        ledger.append(
            FileRecord(record.code, record.path, other.fate, other.reason, stage="scan", error=other.error)
            if other.fate is FileFate.FAILED
            else record
        )
    for code, study, choice in plans:
        if code in reached:
            ledger += [bench.file(item.ref, FileFate.PENDING, study=code) for item in study.instances]
        elif not choice.images:
            ledger += [bench.file(item.instance.ref, item.fate, item.reason, code) for item in choice.passed_over]
    return ledger


def _open_store(request: AuditRequest, run: RunRecord) -> AuditStore:
    if not AuditStore.exists(request.folder):
        return AuditStore.create(request.folder, run)
    store = AuditStore.open(request.folder)
    before = store.run()
    tables = [(name, *(one.environment.get(name, "none") for one in (before, run))) for name in (MANIFEST, REPORT_TEXT)]
    differences = [
        f"{name} ({old} then, {new} now)"
        for name, old, new in (
            ("pipeline", before.pipeline_digest[:12], run.pipeline_digest[:12]),
            ("model files", _short(before.model.files), _short(run.model.files)),
            ("seed", before.seed, run.seed),
            ("--keep-identifiers", before.keeps_identifiers, run.keeps_identifiers),
            *tables,
        )
        if old != new
    ]
    if differences:
        store.close()
        what = "; another ".join(differences)
        msg = f"{request.folder}: this audit was begun with another {what}; give the same again, or use a new folder"
        raise UsageError(msg)
    return store


def _short(files: object) -> str:
    return ", ".join(f"{name} {digest[:8]}" for name, digest in sorted(dict(files).items()))  # type: ignore[call-overload]


def device_of(name: str) -> torch.device:
    """Return the device that a user names; ``auto`` is a GPU where there is one.

    Raises
    ------
    UsageError
        It is not available here.

    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        msg = f"--device {name!r}: not available here ({str(error).splitlines()[0]}); use cpu or auto"
        raise UsageError(msg) from error
    return device
