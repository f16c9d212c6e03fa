"""The page of the cohort: findings, scores by prompt and subgroup, agreement of readers, exclusions, files to take."""

import zipfile
from io import BytesIO
from pathlib import Path

import streamlit as st

from medaudit.figures.wording import NOTHING, count_of, number, words_of
from medaudit.metrics.readers import agreements, decisions
from medaudit.viewer import access, cohort, markup
from medaudit.viewer.access import Session
from medaudit.viewer.across_view import show_across
from medaudit.viewer.panels import FATES, fate_counts
from medaudit.viewer.people import Role
from medaudit.viewer.state import ANY
from medaudit.viewer.theme import is_light

_DARK_COLOURS = ("#58b7c3", "#f0bf5c", "#ff8f7d", "#8fb7e8", "#c9a3e6", "#8b98a1")
_LIGHT_COLOURS = ("#0f6b78", "#7a5200", "#b3261e", "#205a9c", "#6c3b8f", "#51606a")
_GROUPS = ("PatientSex", "AgeBand", "Manufacturer", "ViewPosition", "Modality", "StudyYear")
_MOST_PDFS = 200


def show_cohort(session: Session) -> None:
    """Everything that is said of all studies together."""
    folder = session.folder
    st.html(markup.heading("Cohort", "All audited studies together. Numbers are about the model, not about patients."))
    if not access.cohort_rows(folder).scores:
        st.info("No study is finished yet.", icon=":material/hourglass_empty:")
        return
    show_across(folder)
    left, right = st.columns([3, 4], gap="large")
    with left:
        _show_findings(folder)
        _show_agreement(session)
        _show_exclusions(folder)
    with right:
        _show_scores(folder)
        _show_downloads(session)


def _show_findings(folder: str) -> None:
    st.html(markup.section("Findings"))
    counts = cohort.finding_counts(access.cohort_rows(folder).findings)
    if not counts:
        st.html(markup.line(markup.NO_FINDING, "ma-note"))
    with st.container(key="cohort-findings", gap=None):
        for (check, quantity, severity), count in counts.items():
            chip, name = st.columns([1, 4], vertical_alignment="center")
            chip.html(markup.chip(severity))
            said = f"{words_of(check)}, {words_of(quantity)}: {count_of(count, 'study')}"
            key = f"{check}.{quantity}"
            name.button(said, key=f"cohort {key} {severity.value}", type="tertiary", on_click=_open, args=(key,))


def _open(finding: str) -> None:
    for key, value in (("finding", finding), ("page", "Worklist"), ("list page", 1), ("search", ""), ("asked", ANY)):
        st.session_state[key] = value


def _show_scores(folder: str) -> None:
    st.html(markup.section("Scores by prompt"))
    there = access.facets(folder).elements
    offered = [name for name in _GROUPS if len(there.get(name, ())) > 1]
    group = st.selectbox("Subgroups by", [ANY, *offered], format_func=words_of, key="subgroup")
    groups = None if group in (None, ANY) else access.element(folder, group)
    values = cohort.score_values(access.cohort_rows(folder).scores, groups)
    colours = _LIGHT_COLOURS if is_light() else _DARK_COLOURS
    chart = cohort.score_chart(values, colours, str(st.get_option("theme.textColor")))
    st.vega_lite_chart(values, chart, width="stretch")
    st.html(markup.line(f"{markup.SIMILARITY} A box spans the middle half, its line the whole range.", "ma-small"))


def _show_agreement(session: Session) -> None:
    st.html(markup.section("Agreement of readers"))
    pairs = agreements(decisions(access.signed(session.folder, session.settings.database)))
    if not pairs:
        st.html(markup.line("No two readers have signed decisions on the same finding or map.", "ma-small"))
        return
    rows = [
        (
            f"{one.first} and {one.second}",
            str(one.cases),
            f"{100 * one.equal:.0f} %",
            NOTHING if one.kappa is None else number(one.kappa, 2),
        )
        for one in pairs
    ]
    st.html(markup.plain_table(("Readers", "Cases", "Equal", "Cohen's kappa"), rows))


def _show_exclusions(folder: str) -> None:
    st.html(markup.section("Files"))
    rows = [(FATES[fate], str(count)) for fate, count in fate_counts(access.files(folder)).items()]
    st.html(markup.plain_table(("What became of them", "Files"), rows))


def _show_downloads(session: Session) -> None:
    st.html(markup.section("Take with you"))
    kept = access.open_store(session.folder).run().keeps_identifiers
    says = (
        "This audit keeps identifiers on purpose; so may these files."
        if kept
        else "Studies by code; no patient is named."
    )
    st.html(markup.line(says, "ma-small"))
    files = {
        "scores.csv": lambda: cohort.scores_csv(access.cohort_rows(session.folder).scores),
        "findings.csv": lambda: cohort.findings_csv(access.cohort_rows(session.folder).findings),
    }
    if session.person.role is Role.LEAD or session.settings.roles is None:
        signed = access.signed(session.folder, session.settings.database)
        files["reviews.csv"] = lambda: cohort.reviews_csv(signed)
    with st.container(horizontal=True):
        for name, made in files.items():
            st.download_button(name, made, file_name=name, mime="text/csv", on_click="ignore")
        reports = sorted((Path(session.folder) / "reports").glob("*.pdf"))
        if 0 < len(reports) <= _MOST_PDFS:
            st.download_button(
                f"{count_of(len(reports), 'PDF report')}",
                lambda: _zipped(reports),
                file_name="reports.zip",
                mime="application/zip",
                on_click="ignore",
            )


def _zipped(reports: list[Path]) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in reports:
            archive.write(path, path.name)
    return stream.getvalue()
