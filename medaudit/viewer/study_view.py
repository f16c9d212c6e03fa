"""The page of one study: the picture, what the model's similarity rests on, and what the reader says to it."""

from collections import Counter
from pathlib import Path

import streamlit as st

from medaudit.figures.wording import count_of
from medaudit.figures.words import words_scale
from medaudit.records import ImageAudit, ImageRecord
from medaudit.store.worklist import Search
from medaudit.viewer import access, markup, panels, pictures
from medaudit.viewer.access import Session
from medaudit.viewer.desk import Desk
from medaudit.viewer.panes_view import show_panes
from medaudit.viewer.review_view import begin, follow_prompt, open_desk, show_desk
from medaudit.viewer.state import close_study, has_looked, look, open_study
from medaudit.viewer.theme import chart_colours, paper

# From this many images on a slider, which the arrow keys move, is quicker than a list.
_SERIES = 5


def show_study(session: Session, study: str) -> None:
    """Choices on the side; pictures, desk, similarity, words and findings; tables and provenance below."""
    folder = session.folder
    store = access.open_store(folder)
    record = store.study_record(study)
    images = store.images(study)
    _show_header(folder, study, panels.study_line(record, images))
    if not images:
        st.info("This study holds no image that could be audited.", icon=":material/image_not_supported:")
        return
    desk = open_desk(session, study)
    shows_model = has_looked(study)
    with st.sidebar:
        st.toggle("Hide the model's output until I have looked", key="hide")
        audit = access.image(folder, study, _choose_image(study, images))
        if shows_model:
            begin(desk, audit)
        position = _choose_prompt(audit, desk) if shows_model and audit.attributions else None
    if not shows_model:
        _show_blind(session, study, audit, desk)
        return
    st.html(markup.verdict(audit.findings))
    _show_bench(session, audit, position, desk)
    _show_tables(audit, position)
    _show_provenance(folder, audit, position)


def _choose_image(study: str, images: tuple[ImageRecord, ...]) -> str:
    if len(images) == 1:
        return images[0].image
    if len(images) < _SERIES:
        names = {one.image: panels.image_name(place, one) for place, one in enumerate(images)}
        return str(st.selectbox("Image", list(names), format_func=names.__getitem__, key=f"image of {study}"))
    place = st.slider(f"Image, of {len(images)}", 1, len(images), key=f"image of {study}") - 1
    st.caption(markup.markdown(panels.image_name(place, images[place])))
    return images[place].image


def _show_blind(session: Session, study: str, audit: ImageAudit, desk: Desk) -> None:
    st.button(
        "I have looked: show the model's output", key="look", type="primary", on_click=look, args=(study,), shortcut="l"
    )
    _show_panes(session, audit, None, desk)


def _show_panes(session: Session, audit: ImageAudit, position: int | None, desk: Desk) -> None:
    place = (audit.record.study, audit.record.image)
    show_panes(session, place, position, desk.review, desk.change if session.person.writes else None)
    seen = "" if audit.grid_map.sees_everything() or position is None else " Dashed: what the model saw."
    window = (
        "The window acts on the modality values of the reading copy; the map stays that of the picture as displayed "
        "to the model."
        if audit.reading_copy.values is not None
        else "No window: the picture is in colour."
    )
    st.html(markup.line(f"{panels.sides_sentence(audit)}{seen} {window}", "ma-small"))


def _show_header(folder: str, study: str, elements: str) -> None:
    store = access.open_store(folder)
    listed: tuple[str, ...] = st.session_state.get("listed") or access.find(folder, Search())
    place = listed.index(study) if study in listed else None
    before = listed[place - 1] if place else None
    after = listed[place + 1] if place is not None and place + 1 < len(listed) else None
    with st.container(key="top", horizontal=True, vertical_alignment="center"):
        st.button("Worklist", icon=":material/arrow_back:", on_click=close_study, key="back")
        st.html(markup.study_title(study, elements, place, len(listed)), width="stretch")
        for name, icon, code, letter in (
            ("Previous", "chevron_left", before, "p"),
            ("Next", "chevron_right", after, "n"),
        ):
            st.button(
                name,
                icon=f":material/{icon}:",
                on_click=open_study,
                args=(code,),
                disabled=code is None,
                key=name,
                shortcut=letter,
            )
        _show_download(store.folder / "reports" / f"{study}.pdf")
    notes = store.run().model.notes
    if notes:
        st.html(markup.about_model(notes))


def _show_download(report: Path) -> None:
    if report.is_file():
        st.download_button(
            "PDF report",
            report.read_bytes(),
            file_name=report.name,
            mime="application/pdf",
            icon=":material/download:",
            on_click="ignore",
            type="primary",
        )
    else:
        st.button("No PDF report", disabled=True, help="`medaudit report` writes one.", key="no report")


def _choose_prompt(audit: ImageAudit, desk: Desk) -> int:
    rows = panels.scores(audit)
    if st.session_state["prompt"] >= len(rows):  # the study before this one had more prompts
        st.session_state["prompt"] = 0
    with st.container(key="prompts", height=470 if len(rows) > 8 else "content", border=False):
        return st.radio(
            "Prompt",
            range(len(rows)),
            format_func=lambda index: markup.markdown(rows[index].text),
            captions=[markup.markdown(panels.prompt_caption(row)) for row in rows],
            key="prompt",
            on_change=follow_prompt,
            args=(desk, audit),
        )


def _show_bench(session: Session, audit: ImageAudit, position: int | None, desk: Desk) -> None:
    """Pictures and what is said of them beside the desk; below each other on a narrow screen (style.css)."""
    with st.container(key="bench"):
        pictured, decided = st.columns([5, 2], gap="medium")
    with pictured, st.container(key="pictures"):
        _show_panes(session, audit, position, desk)
        if position is not None:
            _show_similarity(audit, position)
            _show_second(session, audit, position)
        cards = markup.finding_cards(audit.findings) or markup.line(markup.NO_FINDING, "ma-note")
        st.html(markup.section("Findings on this image") + cards)
    with decided:
        show_desk(session, desk, audit)


def _show_similarity(audit: ImageAudit, position: int) -> None:
    attribution = audit.attributions[position]
    st.html(markup.section("Similarity") + markup.score_panel(panels.scores(audit)[position]))
    words = words_scale(tuple(one.text for one in audit.attributions))
    bar = markup.colour_bar(words, pictures.scale_sentence(words, "word", common=True), paper())
    st.html(markup.section("Words it rests on") + markup.shaded_words(attribution.text, words, paper()) + bar)
    charts = markup.curve_charts(audit, attribution, chart_colours())
    if charts:
        st.html(markup.section("Faithfulness") + charts)


def _show_second(session: Session, audit: ImageAudit, position: int) -> None:
    """What the second audit says of the same picture and prompt; its similarity is of its own model."""
    if session.compare is None:
        return
    second = access.second(session.compare, session.folder, audit.record.study, audit.record.image)
    place = None if second is None else second.place_of(audit.attributions[position])
    st.html(markup.section("Second audit"))
    if second is None:
        st.html(markup.line("It does not hold this picture: no stored pixels are the same.", "ma-note"))
    elif place is None:
        st.html(markup.line("It was not asked this prompt.", "ma-note"))
    else:
        scored = panels.scores(second.audit)[place]
        st.html(markup.line(second.name(place)) + markup.score_panel(scored))


def _show_tables(audit: ImageAudit, position: int | None) -> None:
    rows = panels.scores(audit)
    kinds = Counter(row.kind for row in rows)
    asked = ", ".join(count_of(count, panels.KINDS[kind]) for kind, count in kinds.items())
    st.html(
        markup.section("All prompts")
        + markup.line(asked)
        + markup.score_table(rows, -1 if position is None else position)
    )
    with st.expander(f"All measurements on this image ({len(audit.measurements)})"):
        st.html(markup.measurement_table(audit))


def _show_provenance(folder: str, audit: ImageAudit, position: int | None) -> None:
    with st.expander("Provenance"):
        picture, rest = st.columns(2, gap="large")
        picture.html(markup.section("Picture") + markup.facts(panels.image_facts(audit)))
        if position is not None:
            facts = panels.attribution_facts(audit.attributions[position])
            rest.html(markup.section("Map of this prompt") + markup.facts(facts))
        rest.html(markup.section("Run") + markup.facts(panels.run_facts(access.open_store(folder).run())))
