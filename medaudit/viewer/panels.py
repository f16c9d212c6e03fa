"""What the pages show, from the records alone: selection, comparison and plain words. Nothing here draws."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medaudit.figures.orientation import edge_letters
from medaudit.figures.wording import (
    LEADING_ELEMENTS,
    by,
    count_of,
    leading_first,
    number,
    report_mark,
    sentences,
    words_of,
)
from medaudit.records import (
    Attribution,
    FileFate,
    FileRecord,
    ImageAudit,
    ImageRecord,
    Margins,
    PromptKind,
    Quantity,
    RunRecord,
    Severity,
    SolverTrace,
    StudyRecord,
)
from medaudit.store.worklist import StudySummary

NOTHING_CROSSED = "nothing crossed"
"""The worklist's word for a study without findings; ``NO_CLEARANCE`` of the wording says what it is not."""

KINDS: Mapping[PromptKind, str] = {
    PromptKind.FINDING: "finding",
    PromptKind.NEGATED: "negation",
    PromptKind.CONTROL: "control",
    PromptKind.REPORT: "report sentence",
}
"""What a page calls a kind of prompt."""

FATES: Mapping[FileFate, str] = {
    FileFate.FAILED: "could not be audited",
    FileFate.PENDING: "not reached yet",
    FileFate.NOT_AN_IMAGE: "not an image",
    FileFate.NOT_DICOM: "not DICOM",
    FileFate.DUPLICATE: "duplicates",
    FileFate.NOT_CHOSEN: "not chosen by the pipeline",
    FileFate.TEXT: "read as report text",
    FileFate.AUDITED: "audited",
}
"""What a page calls a fate, what needs a person first."""


def summary_line(summary: StudySummary) -> str:
    """The elements of a study and its images in one line, what a reader looks for first in front."""
    return _merged(summary.elements, summary.image_elements)


def study_line(study: StudyRecord, images: Iterable[ImageRecord]) -> str:
    """The same line, from the records of one study."""
    values: dict[str, set[str]] = {}
    for image in images:
        for keyword, value in image.elements.items():
            values.setdefault(keyword, set()).add(value)
    return _merged(study.elements, {keyword: sorted(many) for keyword, many in values.items()})


def _merged(own: Mapping[str, str], of_images: Mapping[str, Iterable[str]]) -> str:
    return element_line({keyword: ", ".join(values) for keyword, values in of_images.items()} | dict(own), 6)


def element_line(elements: Mapping[str, str], most: int) -> str:
    """At most ``most`` values of elements in one line."""
    leading = [value for keyword, value in leading_first(elements) if keyword in LEADING_ELEMENTS and value]
    return " · ".join(leading[:most])


def image_name(position: int, record: ImageRecord) -> str:
    """What the image chooser calls an image: its number and what tells it from the others."""
    telling = element_line({name: record.elements.get(name, "") for name in ("Modality", "ViewPosition")}, 2)
    return " · ".join(part for part in (f"Image {position + 1}", telling, record.image) if part)


def sides_sentence(audit: ImageAudit) -> str:
    """Which side of the patient lies where, as a sentence."""
    stated = edge_letters(audit.record.patient_orientation).sentence()
    return f"{stated[0].upper()}{stated[1:]}."


@dataclass(frozen=True, slots=True)
class Score:
    """One line of the similarity table: a prompt by its place, with its similarity and margins."""

    position: int
    text: str
    kind: PromptKind
    finding: str
    similarity: float
    margins: Margins
    mark: str = ""


def scores(audit: ImageAudit) -> tuple[Score, ...]:
    """Similarity and margins of every prompt of an image, in the order in which they were asked."""
    return tuple(
        Score(
            position,
            one.prompt.text,
            one.prompt.kind,
            one.prompt.finding,
            one.similarity,
            audit.margins(one),
            report_mark(one.prompt),
        )
        for position, one in enumerate(audit.attributions)
    )


def prompt_caption(row: Score) -> str:
    """What the prompt chooser says below a sentence."""
    about = words_of(row.finding) or row.mark
    what = f"{KINDS[row.kind]}, {about}" if about else KINDS[row.kind]
    return f"{what} · {number(row.similarity, 3)}"


def findings_sentence(findings: Mapping[Severity, int]) -> str:
    """Counts in words, gravest first: "1 warning, 2 notes"; empty without findings."""
    return ", ".join(
        count_of(findings[severity], severity.value) for severity in reversed(Severity) if severity in findings
    )


def excluded_files(files: Iterable[FileRecord], fate: FileFate | None = None) -> tuple[FileRecord, ...]:
    """Files that were neither audited nor read as text, or those of one fate; what needs a person first."""
    order = {one: rank for rank, one in enumerate(FATES)}
    used = (FileFate.AUDITED, FileFate.TEXT)
    kept = (file for file in files if (file.fate not in used if fate is None else file.fate is fate))
    return tuple(sorted(kept, key=lambda file: (order[file.fate], file.code)))


def fate_counts(files: Iterable[FileRecord]) -> Mapping[FileFate, int]:
    """How many files met which fate, in the order of :data:`FATES`, without zeros."""
    counts = Counter(file.fate for file in files)
    return {fate: counts[fate] for fate in FATES if counts[fate]}


def run_facts(run: RunRecord) -> Mapping[str, str]:
    """What the run was, for a list of terms: enough to repeat it."""
    model = run.model
    return {
        "Model": f"{model.name} ({model.family})",
        "Score": f"{model.score}; medaudit reports cosines",
        "Model input": f"{by(*model.input_size)} pixels, {by(*model.grid)} tokens",
        "Licence": model.licence,
        **{f"sha256 of {name}": digest for name, digest in model.files.items()},
        "Notes on the model": sentences(model.notes),
        "Pipeline": run.pipeline_name,
        "Pipeline digest": run.pipeline_digest,
        "Seed": str(run.seed),
        "Identifiers": "kept by the site" if run.keeps_identifiers else "replaced by codes",
        "Started": run.started,
        **{words_of(name).capitalize(): value for name, value in run.environment.items()},
        "Versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
    }


def image_facts(audit: ImageAudit) -> Mapping[str, str]:
    """Where a picture comes from and how it became one."""
    record = audit.record
    return {
        "Image": f"{record.image}, series {record.series}, frame {record.frame + 1}",
        "Stored size": f"{by(record.rows, record.columns)} pixels",
        "Pixel spacing": _spacing(record.pixel_spacing, "mm, row by column"),
        "Imager pixel spacing": _spacing(record.imager_pixel_spacing, "mm, at the detector"),
        "Transfer syntax": record.transfer_syntax,
        "Decoder": record.decoder,
        "Display": record.display,
        "Notes": "; ".join(record.notes),
        "sha256 of the pixels": record.pixel_sha256,
        **{words_of(keyword): value for keyword, value in record.elements.items()},
    }


def attribution_facts(one: Attribution) -> Mapping[str, str]:
    """How a map came about: the method, its settings, and what the solver says of its own run."""
    sides = {"Picture": one.image_trace, "Words": one.text_trace}
    return {
        "Method": one.method,
        "Settings": ", ".join(f"{words_of(name)} {value}" for name, value in one.settings.items()),
        **{
            f"{side}, solver": _total(one, trace)
            + (f", {len(trace.loss)} passes, final loss {number(trace.loss[-1])}" if trace.loss else "")
            for side, trace in sides.items()
        },
        "Seed": str(one.image_trace.seed),  # the run's, so that of both sides
    }


def _total(one: Attribution, trace: SolverTrace) -> str:
    """The sum over all tokens in its quantity, and how far the method says it missed its promise."""
    quantity = one.image.quantity
    total = number(trace.capacity_nats)
    said = f"capacity {total} nats" if quantity is Quantity.NATS else f"sum {total} ({quantity.value})"
    return said if trace.residual is None else f"{said}, residual {number(trace.residual)}"


def _spacing(spacing: tuple[float, float] | None, unit: str) -> str:
    return f"{by(*map(number, spacing))} {unit}" if spacing else "not stated in the header"
