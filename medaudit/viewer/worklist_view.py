"""The worklist page."""

from collections.abc import Callable, Sequence

import streamlit as st

from medaudit.figures.wording import NOTHING, by, count_of, words_of
from medaudit.records import FileFate, Severity
from medaudit.store.review_store import Status
from medaudit.store.worklist import Facets, Order, Search
from medaudit.viewer import access, markup, panels
from medaudit.viewer.access import Session
from medaudit.viewer.paging import show_pages
from medaudit.viewer.state import ANY, open_study

_PAGE = 25
_WIDTHS = [1.1, 1.5, 1.1, 3.8, 2.2, 1.3]
_SEVERITIES: dict[str, Severity | None] = {
    **{one.value: one for one in reversed(Severity)},
    panels.NOTHING_CROSSED: None,
}


def show_worklist(session: Session) -> None:
    """Tallies, progress, filters, and one line a study."""
    folder = session.folder
    counts = access.severity_counts(folder)
    total = sum(counts.values())
    st.html(markup.heading("Worklist", "Studies whose findings weigh most come first."))
    if not total:
        st.info(
            "No study is finished yet. The audit may still be running: reload this page in a while. "
            "If it has ended, Files not audited says why nothing came of it.",
            icon=":material/hourglass_empty:",
        )
        return
    statuses = session.statuses()
    _show_tallies(session, total)
    _show_progress(session, total, sum(one is Status.SIGNED for one in statuses.values()))
    search, wanted = _choose(access.facets(folder))
    found = access.find(folder, search)
    shown = [code for code in found if not wanted or statuses.get(code, Status.OPEN) in wanted]
    st.session_state["listed"] = tuple(shown)
    if not shown:
        st.info("No study matches this search and these filters.", icon=":material/filter_alt_off:")
        return
    if len(shown) < total:
        st.html(markup.line(f"{len(shown)} of {count_of(total, 'study')}"))
    show_pages(shown, _PAGE, "list page", lambda codes: _show_lines(session, codes))


def _show_tallies(session: Session, total: int) -> None:
    counts = access.severity_counts(session.folder)
    failed = panels.excluded_files(access.files(session.folder), FileFate.FAILED)
    tallies = [(total, "studies" if total > 1 else "study", "plain")]
    tallies += [
        (count, f"with a {name}" if severity else name, name if severity else "clear")
        for name, severity in _SEVERITIES.items()
        if (count := counts[severity]) or severity
    ]
    st.html(markup.tallies([*tallies, (len(failed), "files failed", "plain")]))


def _show_progress(session: Session, total: int, done: int) -> None:
    if not session.person.writes:
        return
    with st.container(key="progress", horizontal=True, vertical_alignment="center"):
        st.progress(done / total, f"{done} of {count_of(total, 'study')} signed by you")
        last = session.reviews.last_study(session.person.reader)
        if last is not None:
            name = markup.markdown(f"Go on with {last}")
            st.button(name, icon=":material/history:", on_click=open_study, args=(last,), key="go on")


def _first_page() -> None:
    st.session_state["list page"] = 1


def _choose(facets: Facets) -> tuple[Search, frozenset[Status]]:
    with st.container(key="filters"):
        words, severities, order, more = st.columns([3, 4, 2, 1.2], vertical_alignment="bottom")
    typed = words.text_input(
        "Search",
        key="search",
        placeholder="Study code, modality, manufacturer …",
        on_change=_first_page,
    )
    names = severities.pills(
        "Gravest finding", list(_SEVERITIES), selection_mode="multi", key="severities", on_change=_first_page
    )
    sort = order.selectbox(
        "Sort by", list(Order), key="order", format_func=lambda one: one.value.capitalize(), on_change=_first_page
    )
    with more.popover("Filters", icon=":material/tune:", width="stretch"):
        statuses = st.pills(
            "My review", [one.value for one in Status], selection_mode="multi", key="statuses", on_change=_first_page
        )
        finding = _one_of("Finding", "finding", facets.findings, words_of)
        prompt = _one_of("Prompt", "asked", facets.prompts)
        keyword = _one_of("Element", "keyword", tuple(facets.elements), words_of)
        value = _one_of("Its value", "value", facets.elements.get(keyword, ()))
    search = Search(
        typed,
        frozenset(_SEVERITIES[name] for name in names),
        finding,
        prompt,
        {keyword: value} if keyword and value else {},
        sort or Order.GRAVEST,
    )
    return search, frozenset(Status(one) for one in statuses)


def _one_of(label: str, key: str, options: Sequence[str], named: Callable[[str], str] = str) -> str:
    """One of the options, or an empty text."""
    if st.session_state[key] not in options:
        st.session_state[key] = ANY
    chosen = st.selectbox(
        label, [ANY, *options], key=key, format_func=named, disabled=not options, on_change=_first_page
    )
    return "" if chosen in (None, ANY) else chosen


def _show_lines(session: Session, codes: Sequence[str]) -> None:
    statuses = session.statuses()
    with st.container(key="worklist", gap=None):
        for cell, name in zip(
            st.columns(_WIDTHS),
            ("Gravest", "Study", "My review", "Pictures", "Findings", by("Images", "prompts")),
            strict=True,
        ):
            cell.html(markup.line(name, "ma-th"))
        for summary in access.summaries(session.folder, tuple(codes)):
            cells = st.columns(_WIDTHS, vertical_alignment="center")
            cells[0].html(markup.chip(summary.worst))
            cells[1].button(
                markup.markdown(summary.study),
                key=f"open {summary.study}",
                type="tertiary",
                on_click=open_study,
                args=(summary.study,),
            )
            status = statuses.get(summary.study, Status.OPEN)
            cells[2].html(markup.line(NOTHING if status is Status.OPEN else status.value, "ma-cell"))
            cells[3].html(markup.line(panels.summary_line(summary) or NOTHING, "ma-cell"))
            cells[4].html(markup.line(panels.findings_sentence(summary.findings) or NOTHING, "ma-cell"))
            cells[5].html(markup.line(by(summary.images, summary.prompts), "ma-cell"))
