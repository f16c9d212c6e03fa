"""Reports of an audit folder: the one module here that touches the store."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from reportlab.platypus.doctemplate import LayoutError as PageError

from medaudit.errors import MedauditError, UsageError
from medaudit.figures.neighbours import kind_of, nearest_studies
from medaudit.records.cohort import CohortAudit
from medaudit.records.review import SignedReview
from medaudit.report.cohort import Cohort, Exemplar, exclusions
from medaudit.report.cohort_html import cohort_html
from medaudit.report.cohort_pdf import cohort_pdf
from medaudit.report.fhir import study_fhir
from medaudit.report.html import study_html
from medaudit.report.layout import Layout, find_layout, with_logo
from medaudit.report.plain import cohort_csv, cohort_json, study_csv, study_json
from medaudit.report.study_pdf import study_pdf
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews

REVIEWS = "reviews.sqlite"
"""The reviews of an audit, where no other database was named."""

REPORTS = "reports"
"""Folder of the reports inside the audit folder."""

COHORT = "cohort"
"""Name of the report of all studies, without its ending; no study's code is one word of lower-case letters."""

ILLUSTRATED = 2
"""Findings over all studies that are shown with pictures, and as many groups of studies that look alike."""


class Format(StrEnum):
    """The kind of file that a report is."""

    PDF = "pdf"
    HTML = "html"
    JSON = "json"
    CSV = "csv"
    FHIR = "fhir"

    @property
    def ending(self) -> str:
        """Of a file's name, without its dot."""
        return "fhir.json" if self is Format.FHIR else self.value

    @property
    def has_cohort(self) -> bool:
        """Whether there is a report of all studies in this form."""
        return self is not Format.FHIR


@dataclass(frozen=True, slots=True)
class ReportOutcome:
    """What became of each report: files ``written``, and (study code, error class, message) of those that ``failed``.

    The report of all studies has :data:`COHORT` for its code.
    """

    written: tuple[Path, ...] = ()
    failed: tuple[tuple[str, str, str], ...] = ()


def write_study_report(store: AuditStore, code: str, layout: Layout, folder: Path, form: Format = Format.PDF) -> Path:
    """Write ``<study code>.<ending>`` so that a kill at any instant leaves the old file, the new one, or none.

    Raises
    ------
    StoreError
        The store has no such study, or cannot be read.
    OSError
        The file cannot be written.

    """
    run, audit = store.run(), store.study(code)
    made = {
        Format.PDF: lambda: study_pdf(run, audit, layout, _signed(store.folder, code)),
        Format.HTML: lambda: study_html(run, audit, layout).encode(),
        Format.JSON: lambda: study_json(run, audit).encode(),
        Format.CSV: lambda: study_csv(run, audit).encode(),
        Format.FHIR: lambda: study_fhir(run, audit, _signed(store.folder, code), store.study_digest(code)).encode(),
    }
    return _replace(folder / f"{code}.{form.ending}", made[form]())


def write_cohort_report(store: AuditStore, layout: Layout, folder: Path, form: Format = Format.PDF) -> Path:
    """Write ``cohort.<form>``, of all finished studies, in the same manner; links go to the study reports beside it.

    Raises
    ------
    UsageError
        There is no report of all studies in this form.
    StoreError
        The store cannot be read.
    OSError
        The file cannot be written.

    """
    if not form.has_cohort:
        msg = f"format {form}: each study has a report in this form, all studies together have none"
        raise UsageError(msg)
    cohort = read_cohort(store, folder, form)
    made = {
        Format.PDF: lambda: cohort_pdf(cohort, layout),
        Format.HTML: lambda: cohort_html(cohort, layout).encode(),
        Format.JSON: lambda: cohort_json(cohort, layout).encode(),
        Format.CSV: lambda: cohort_csv(cohort).encode(),
    }
    return _replace(folder / f"{COHORT}.{form}", made[form]())


def read_cohort(store: AuditStore, folder: Path, form: Format = Format.PDF) -> Cohort:
    """All studies of an audit, and of a PDF the arrays of the few that show a finding over all studies best.

    Study reports of ``form`` are looked for in ``folder``.

    Raises
    ------
    StoreError
        The store cannot be read.

    """
    studies, files, across = store.worklist(), store.files(), store.cohort_audit()
    rows = store.cohort()
    return Cohort(
        run=store.run(),
        studies=studies,
        rows=rows,
        fates=Counter(file.fate for file in files),
        exclusions=exclusions(files),
        signed=_signed(store.folder),
        across=across,
        exemplars=_exemplars(store, across) if across is not None and form is Format.PDF else {},
        neighbours=nearest_studies(rows, store.cohort_material()),
        documents=frozenset(one.study for one in studies if (folder / f"{one.study}.{form}").is_file()),
    )


def _exemplars(store: AuditStore, across: CohortAudit) -> dict[tuple[str, str], tuple[Exemplar, ...]]:
    """Of the weightiest findings that name a prompt, the first image of each study that shows it best.

    Groups of studies are counted for themselves: they weigh less, and pictures say most of them.
    """
    found: dict[tuple[str, str], tuple[Exemplar, ...]] = {}
    shown_of: Counter[bool] = Counter()
    for measured in (finding.measurement for finding in across.findings):
        key, is_group = (measured.subject, measured.against), kind_of(measured) is not None
        if shown_of[is_group] == ILLUSTRATED or not measured.subject or key in found:
            continue
        images = [store.image(study, store.images(study)[0].image) for study in measured.examples]
        shown = tuple(
            Exemplar(image, one)
            for image in images
            for one in image.attributions
            if one.prompt.text == measured.subject
        )
        if shown:  # a finding on how often a check was raised names no prompt
            found[key] = shown
            shown_of[is_group] += 1
    return found


def write_reports(
    store: AuditStore,
    *,
    studies: Iterable[str] | None = None,
    layout_name: str | None = None,
    logo: Path | None = None,
    form: Format = Format.PDF,
    on_study: Callable[[str], None] | None = None,
) -> ReportOutcome:
    """Write the report of each study into ``reports/`` of the audit folder, then that of all; none stops another.

    Parameters
    ----------
    store
        The audit.
    studies
        Codes of the studies, and then no report of all; every finished study by default.
    layout_name
        Name of a shipped layout, or path of a ``.yaml`` file; the run's own by default.
    logo
        A PNG or JPEG in the place of the layout's own.
    form
        The kind of file.
    on_study
        Called with each code when its report is written or has failed.

    Raises
    ------
    LayoutError
        There is no such layout, it is wrong, or the file is no logo.
    StoreError
        The store cannot be read at all.

    """
    layout = _layout(store, layout_name)
    if logo is not None:
        layout = with_logo(layout, logo)
    folder = store.folder / REPORTS
    codes = [summary.study for summary in store.worklist()] if studies is None else list(studies)
    jobs = [(code, partial(write_study_report, store, code, layout, folder, form)) for code in codes]
    if studies is None and codes and form.has_cohort:
        jobs.append((COHORT, partial(write_cohort_report, store, layout, folder, form)))
    return _written(jobs, on_study)


def write_cohort(store: AuditStore, *, layout_name: str | None = None, form: Format = Format.PDF) -> ReportOutcome:
    """Write the report of all studies alone; as :func:`write_reports`."""
    layout = _layout(store, layout_name)
    return _written([(COHORT, partial(write_cohort_report, store, layout, store.folder / REPORTS, form))], None)


def _layout(store: AuditStore, name: str | None) -> Layout:
    return find_layout(store.run().report_layout if name is None else name)


def _written(jobs: Iterable[tuple[str, Callable[[], Path]]], on_job: Callable[[str], None] | None) -> ReportOutcome:
    """Do every job; one that fails is noted and the next is done."""
    written: list[Path] = []
    failed: list[tuple[str, str, str]] = []
    for code, write in jobs:
        try:
            written.append(write())
        except PageError:
            # reportlab's own message quotes the text that did not fit, which may name a patient.
            failed.append((code, "PageError", "a part of the report is larger than a page; its records are complete"))
        except (MedauditError, OSError, ValueError, ArithmeticError) as error:
            failed.append((code, type(error).__name__, _reason(error)))
        if on_job is not None:
            on_job(code)
    return ReportOutcome(tuple(written), tuple(failed))


def _signed(folder: Path, code: str | None = None) -> tuple[SignedReview, ...]:
    """The signed reviews of a study, or of all, that lie in the audit folder; none where nobody has reviewed there."""
    if not (folder / REVIEWS).is_file():
        return ()
    with open_reviews(folder) as reviews:
        return reviews.signed(code)


def _replace(path: Path, document: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.tmp")
    with new.open("wb") as stream:
        stream.write(document)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    return path


def _reason(error: Exception) -> str:
    """What a person can act on; an OSError's own text names a path of the site."""
    if isinstance(error, OSError):
        return f"{REPORTS}/ cannot be written: {error.strerror or type(error).__name__}"
    return str(error)
