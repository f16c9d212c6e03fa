"""The report of one study: records in, a PDF out, the same bytes for the same records."""

from collections.abc import Callable, Mapping

from reportlab.platypus import Flowable

from medaudit.records import RunRecord, StudyAudit
from medaudit.records.review import SignedReview
from medaudit.report.canvas import build_pdf
from medaudit.report.contents import Contents, Figures
from medaudit.report.layout import Layout, Section
from medaudit.report.plain import provenance_json
from medaudit.report.prompts import prompts
from medaudit.report.record import limits, measurements, method, provenance
from medaudit.report.review import review
from medaudit.report.style import Style
from medaudit.report.summary import summary

_SECTIONS: Mapping[Section, Callable[[Contents], list[Flowable]]] = {
    Section.SUMMARY: summary,
    Section.PROMPTS: prompts,
    Section.MEASUREMENTS: measurements,
    Section.METHOD: method,
    Section.LIMITS: limits,
    Section.REVIEW: review,
    Section.PROVENANCE: provenance,
}


def study_pdf(run: RunRecord, audit: StudyAudit, layout: Layout, reviews: tuple[SignedReview, ...] = ()) -> bytes:
    """Set the report of a study; its provenance lies in the file as ``provenance.json`` too.

    Reads nothing but its arguments: no clock, no files but the fonts, no environment. Names a
    patient only where ``elements`` of the records does.

    Raises
    ------
    StoreError
        The pipeline text of ``run`` is no YAML.

    """
    style = Style(layout)
    figures = tuple(Figures.of(image, layout.map_opacity) for image in audit.images)
    contents = Contents(run, audit, style, figures, reviews)

    def story() -> list[Flowable]:
        return [flowable for section in layout.sections for flowable in _SECTIONS[section](contents)]

    return build_pdf(
        story,
        style,
        title=style.words.say("study.document", code=audit.record.study),
        subject=style.words.say("cohort.subject", model=run.model.name, pipeline=run.pipeline_name),
        running=f"{style.words.say('study.title', code=audit.record.study)} \u00b7 {run.model.name}",
        attachments={"provenance.json": provenance_json(run, audit).encode()},
    )
