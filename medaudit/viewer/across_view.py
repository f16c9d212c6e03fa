"""On the page of the cohort: what only all studies together show, and the studies that show it best."""

import streamlit as st

from medaudit.figures.wording import NOTHING, count_of, number, words_of
from medaudit.records import CohortAudit, CohortFinding, CohortMeasurement
from medaudit.viewer import access, markup, state
from medaudit.viewer.neighbours_view import show_neighbours

_QUESTIONS = {
    "shortcut.difference": "Shortcuts: does the score go with something else?",
    "erasure.foremost": "Erasure: does the score change with an area?",
    "erasure.device": "Erasure: which device are the lines?",
    "report_text.ranking": "Report text: do scores go with what reports tell?",
    "report_text.own_image": "Report text: does a sentence know its image?",
    "subgroup.difference": "Groups: do scores differ?",
    "subgroup.concentration": "Groups: are maps otherwise concentrated?",
    "subgroup.flagged": "Groups: what fails alike?",
    "likeness.closeness": "Likeness: do studies that fail alike look alike?",
    "likeness.shared": "Likeness: what do they share?",
    "probe.ranking": "Probe: can the group be read from the embedding?",
    "drift.trend": "Drift: do scores move with the years?",
}
_SHOWN = 15
_SMALLEST = 0.001


def show_across(folder: str) -> None:
    """Findings over all studies, then one table for each thing that was compared."""
    found = access.cohort_audit(folder)
    if found is None or not (found.measurements or found.notes):
        return
    st.html(markup.section("Across studies"))
    for note in found.notes:
        st.html(markup.line(note, "ma-note"))
    if found.measurements and not found.findings:
        st.html(markup.line("No comparison lies beyond its threshold. That is no clearance.", "ma-note"))
    for place, finding in enumerate(found.findings):
        with st.container(key=f"across-{place}", gap=None):
            st.html(markup.cohort_card(finding))
            _show_examples(finding, place)
    if found.measurements:
        _show_comparisons(found)
    show_neighbours(folder)


def _show_examples(finding: CohortFinding, place: int) -> None:
    if not finding.measurement.examples:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(markup.line("Shown best by", "ma-small"), width="content")
        for code in finding.measurement.examples:
            st.button(code, key=f"across {place} {code}", type="tertiary", on_click=state.open_study, args=(code,))


def _show_comparisons(found: CohortAudit) -> None:
    kinds = list(dict.fromkeys((one.check, one.quantity) for one in found.measurements))
    kind = st.selectbox("Comparisons", kinds, format_func=_name, key="comparison")
    rows = [one for one in found.measurements if (one.check, one.quantity) == kind]
    rows.sort(key=lambda one: (one.q if one.q is not None else 1.0, -abs(one.value), one.against))
    head = ("With", "Prompt", "Studies", "Value", "95 % interval", "Corrected p")
    st.html(markup.plain_table(head, map(_row, rows[:_SHOWN]), words=2))
    more = f"{count_of(len(rows) - _SHOWN, 'row')} more in the report of the cohort. " if len(rows) > _SHOWN else ""
    st.html(
        markup.line(
            f"{more}Studies are compared among those whose reports say the same of the finding. A difference between "
            "groups is a disparity, which without labels is not bias; agreement with reports is no accuracy.",
            "ma-small",
        )
    )


def _name(kind: tuple[str, str]) -> str:
    return _QUESTIONS.get(".".join(kind), f"{words_of(kind[0])}, {words_of(kind[1])}")


def _row(one: CohortMeasurement) -> tuple[str, ...]:
    keyword, equals, value = one.against.partition(" = ")
    return (
        f"{words_of(keyword)}: {value}" if equals else one.against,
        one.subject or NOTHING,
        f"{one.count} / {one.others}" if one.others else str(one.count),
        number(one.value, 2),
        f"{number(one.ends[0], 2)} to {number(one.ends[1], 2)}" if one.ends else NOTHING,
        NOTHING if one.q is None else number(one.q, 3) if one.q >= _SMALLEST else f"< {_SMALLEST}",
    )
