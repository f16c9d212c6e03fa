"""The report of a cohort: records in, a PDF out, the same bytes for the same records."""

from collections.abc import Callable, Mapping

from reportlab.platypus import Flowable

from medaudit.report import cohort_across, cohort_charts, cohort_pages, cohort_readers
from medaudit.report.canvas import build_pdf
from medaudit.report.cohort import Cohort
from medaudit.report.cohort_pages import Pages, has_content
from medaudit.report.layout import CohortSection, Layout
from medaudit.report.style import Style

_SECTIONS: Mapping[CohortSection, Callable[[Pages], list[Flowable]]] = {
    CohortSection.SUMMARY: cohort_pages.summary,
    CohortSection.INVENTORY: cohort_pages.inventory,
    CohortSection.FINDINGS: cohort_charts.findings,
    CohortSection.ACROSS: cohort_across.across,
    CohortSection.PROMPTS: cohort_charts.prompts,
    CohortSection.CHECKS: cohort_charts.checks,
    CohortSection.GROUPS: cohort_charts.groups,
    CohortSection.READERS: cohort_readers.readers,
    CohortSection.LIMITS: cohort_pages.limits,
    CohortSection.METHOD: cohort_pages.method,
    CohortSection.CROSSWALK: cohort_pages.crosswalk,
    CohortSection.STUDIES: cohort_pages.studies,
}


def cohort_pdf(cohort: Cohort, layout: Layout) -> bytes:
    """Set the report of a cohort.

    Reads nothing but its arguments, the fonts and the texts of the language: no clock, no environment.
    A section for which the store holds nothing is left out.

    Raises
    ------
    StoreError
        The pipeline text of the run is no YAML.

    """
    style = Style(layout)
    pages = Pages(cohort, style)
    words = style.words
    studies = words.count(len(cohort.studies), "study")

    def story() -> list[Flowable]:
        return [
            flowable
            for section in layout.cohort_sections
            if has_content(pages, section)
            for flowable in _SECTIONS[section](pages)
        ]

    return build_pdf(
        story,
        style,
        title=words.say("cohort.document", studies=studies),
        subject=words.say("cohort.subject", model=cohort.run.model.name, pipeline=cohort.run.pipeline_name),
        running=words.say("cohort.running", studies=studies, model=cohort.run.model.name),
    )
