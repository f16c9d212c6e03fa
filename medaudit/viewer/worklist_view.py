"""The worklist page."""

from collections.abc import Sequence

import streamlit as st

from medaudit.figures.wording import NOTHING, by, count_of, number
from medaudit.records import FileFate, Severity
from medaudit.store.worklist import StudySummary
from medaudit.viewer import access, markup, panels
from medaudit.viewer.paging import show_pages
from medaudit.viewer.state import open_study

_PAGE = 25
_WIDTHS = [1.1, 1.7, 4.2, 2.2, 1.3, 0.8]
_SEVERITIES: dict[str, Severity | None] = {
    **{one.value: one for one in reversed(Severity)},
    panels.NOTHING_CROSSED: None,
}


def show_worklist(folder: str) -> None:
    """Tallies, filters, and one line a study."""
    summaries = access.worklist(folder)
    failed = panels.excluded_files(access.files(folder), FileFate.FAILED)
    st.html(markup.heading("Worklist", "Studies whose findings weigh most come first."))
    if not summaries:
        st.info(
            "No study is finished yet. The audit may still be running: reload this page in a while. "
            "If it has ended, Files not audited says why nothing came of it.",
            icon=":material/hourglass_empty:",
        )
        return
    counts = panels.severity_counts(summaries)
    tallies = [(len(summaries), "studies" if len(summaries) > 1 else "study", "plain")]
    tallies += [
        (count, f"with a {name}" if severity else name, name if severity else "clear")
        for name, severity in _SEVERITIES.items()
        if (count := counts[severity]) or severity
    ]
    tallies.append((len(failed), "files failed", "plain"))
    st.html(markup.tallies(tallies))
    shown = _filtered(summaries)
    st.session_state["listed"] = tuple(summary.study for summary in shown)
    if not shown:
        st.info("No study matches this search and these severities.", icon=":material/filter_alt_off:")
        return
    if len(shown) < len(summaries):
        st.html(markup.line(f"{len(shown)} of {count_of(len(summaries), 'study')}"))
    show_pages(shown, _PAGE, "studies", _show_lines)


def _filtered(summaries: tuple[StudySummary, ...]) -> tuple[StudySummary, ...]:
    with st.container(key="filters"):
        search, severities, order = st.columns([3, 4, 2], vertical_alignment="top")
    words = search.text_input("Search", key="search", placeholder="Study code, modality, manufacturer …")
    names = severities.pills("Gravest finding", list(_SEVERITIES), selection_mode="multi", key="severities")
    sort = order.selectbox("Sort by", list(panels.Order), key="order", format_func=lambda one: one.value.capitalize())
    return panels.chosen_studies(summaries, {_SEVERITIES[name] for name in names}, words, sort or panels.Order.GRAVEST)


def _show_lines(summaries: Sequence[StudySummary]) -> None:
    with st.container(key="worklist", gap=None):
        for cell, name in zip(
            st.columns(_WIDTHS),
            ("Gravest", "Study", "Pictures", "Findings", by("Images", "prompts"), "Time"),
            strict=True,
        ):
            cell.html(markup.line(name, "ma-th"))
        for summary in summaries:
            cells = st.columns(_WIDTHS, vertical_alignment="center")
            cells[0].html(markup.chip(summary.worst))
            cells[1].button(
                markup.markdown(summary.study),
                key=f"open {summary.study}",
                type="tertiary",
                on_click=open_study,
                args=(summary.study,),
            )
            cells[2].html(markup.line(panels.summary_line(summary) or NOTHING, "ma-cell"))
            cells[3].html(markup.line(panels.findings_sentence(summary.findings) or NOTHING, "ma-cell"))
            cells[4].html(markup.line(by(summary.images, summary.prompts), "ma-cell"))
            cells[5].html(markup.line(f"{number(summary.seconds)} s", "ma-cell"))
