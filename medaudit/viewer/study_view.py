"""The page of one study: the picture, what the model's similarity rests on, and what the checks found."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from medaudit.figures.orientation import edge_letters
from medaudit.figures.wording import count_of
from medaudit.figures.words import words_scale
from medaudit.records import ImageAudit
from medaudit.viewer import access, markup, panels, pictures
from medaudit.viewer.pictures import Look
from medaudit.viewer.state import COMMON_SCALE, MAP_ONLY, OWN_SCALE, SIDE_BY_SIDE, close_study, open_study


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the reader chose on the side: an image, one of its prompts, and how to look at them."""

    code: str
    position: int
    side_by_side: bool
    look: Look


def show_study(folder: str, study: str) -> None:
    """Controls on the side; pictures, similarity, words and findings; tables and provenance below."""
    store = access.open_store(folder)
    record = store.study_record(study)
    images = store.images(study)
    _show_header(folder, study, panels.study_line(record, images))
    if not images:
        st.info("This study holds no image that could be audited.", icon=":material/image_not_supported:")
        return
    with st.sidebar:
        names = {one.image: panels.image_name(position, one) for position, one in enumerate(images)}
        code = images[0].image
        if len(images) > 1:
            code = st.selectbox("Image", list(names), format_func=names.__getitem__, key=f"image of {study}")
        audit = access.image(folder, study, code)
        choice = _choose(audit, code) if audit.attributions else None
    st.html(markup.verdict(audit.findings))
    if choice is None:
        _show_source(folder, study, audit, None)
    else:
        _show_bench(folder, study, audit, choice)
    _show_tables(audit, choice)
    _show_provenance(folder, audit, choice)


def _show_header(folder: str, study: str, elements: str) -> None:
    store = access.open_store(folder)
    listed: tuple[str, ...] = st.session_state.get("listed") or tuple(one.study for one in access.worklist(folder))
    place = listed.index(study) if study in listed else None
    before = listed[place - 1] if place else None
    after = listed[place + 1] if place is not None and place + 1 < len(listed) else None
    with st.container(key="top", horizontal=True, vertical_alignment="center"):
        st.button("Worklist", icon=":material/arrow_back:", on_click=close_study, key="back")
        st.html(markup.study_title(study, elements, place, len(listed)), width="stretch")
        for name, icon, code in (("Previous", "chevron_left", before), ("Next", "chevron_right", after)):
            st.button(
                name, icon=f":material/{icon}:", on_click=open_study, args=(code,), disabled=code is None, key=name
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


def _choose(audit: ImageAudit, code: str) -> _Choice:
    rows = panels.scores(audit)
    if st.session_state["prompt"] >= len(rows):  # the study before this one had more prompts
        st.session_state["prompt"] = 0
    with st.container(key="prompts", height=370 if len(rows) > 6 else "content", border=False):
        position = st.radio(
            "Prompt",
            range(len(rows)),
            format_func=lambda index: markup.markdown(rows[index].text),
            captions=[markup.markdown(panels.prompt_caption(row)) for row in rows],
            key="prompt",
        )
    view = st.segmented_control("View", [SIDE_BY_SIDE, MAP_ONLY], key="view", width="stretch")
    opacity = st.slider("Opacity of the map", 0, 100, step=5, format="%d %%", key="opacity")
    highest = pictures.map_scale(audit, position, common=True).maximum_nats
    threshold = st.slider(
        "Threshold, nats per token", 0.0, highest, 0.0, highest / 100, format="%.3g", key=f"threshold of {code}"
    )
    scale = st.selectbox("Colour scale for", [COMMON_SCALE, OWN_SCALE], key="scale")
    window = _choose_window(audit, code)
    look = Look(opacity / 100, threshold, common_scale=scale == COMMON_SCALE, window=window)
    return _Choice(code, position, view != MAP_ONLY, look)


def _choose_window(audit: ImageAudit, code: str) -> tuple[float, float] | None:
    """(centre, width) in modality values; None for the picture as it was displayed to the model."""
    bounds = pictures.window_range(audit.reading_copy)
    if bounds is None or audit.reading_copy.window is None:
        st.caption("No window: the picture is in colour, or has one value throughout.")
        return None
    toggle = f"own window of {code}"
    if not st.toggle("Own window", key=toggle, help="Off: as displayed to the model."):
        st.caption("Shown as displayed to the model.")
        return None
    center, width = audit.reading_copy.window
    step, form = bounds.step, "%.0f" if bounds.step >= 1 else "%.3g"
    center = st.slider("Centre", bounds.lowest, bounds.highest, float(center), step, form, key=f"centre of {code}")
    width = st.slider("Width", step, bounds.widest, max(float(width), step), step, form, key=f"width of {code}")
    st.button("As displayed to the model", icon=":material/undo:", on_click=_reset, args=(code,), width="stretch")
    st.caption("The map stays that of the picture as displayed to the model.")
    return center, width


def _reset(code: str) -> None:
    for key in ("own window", "centre", "width"):
        st.session_state.pop(f"{key} of {code}", None)


def _show_bench(folder: str, study: str, audit: ImageAudit, choice: _Choice) -> None:
    """Pictures beside what is said of them; below each other on a narrow screen (style.css)."""
    # The key decides whether a narrow screen puts the text below: one picture leaves room for it.
    with st.container(key="two-pictures" if choice.side_by_side else "one-picture"):
        pictured, said = st.columns([7, 4] if choice.side_by_side else [1, 1], gap="large")
    with pictured, st.container(key="pictures"):
        if choice.side_by_side:
            left, right = st.columns(2)
            with left, st.container(gap=None):
                _show_source(folder, study, audit, choice.look.window)
            with right, st.container(gap=None):
                _show_map(folder, study, audit, choice)
        else:
            with st.container(gap=None):
                _show_map(folder, study, audit, choice)
    attribution = audit.attributions[choice.position]
    score = panels.scores(audit)[choice.position]
    common = choice.look.common_scale
    words = words_scale(tuple(one.text for one in (audit.attributions if common else (attribution,))))
    with said:
        st.html(markup.section("Similarity") + markup.score_panel(score))
        bar = markup.colour_bar(words, pictures.scale_sentence(words, "word", common=common), over_paper=True)
        st.html(markup.section("Words it rests on") + markup.shaded_words(attribution.text, words) + bar)
        cards = markup.finding_cards(audit.findings) or markup.line(markup.NO_FINDING, "ma-note")
        st.html(markup.section("Findings on this image") + cards)


def _show_source(folder: str, study: str, audit: ImageAudit, window: tuple[float, float] | None) -> None:
    st.html(markup.line("Picture", "ma-th"))
    st.image(access.source(folder, study, audit.record.image, window), width="stretch")
    stated = edge_letters(audit.record.patient_orientation).sentence()
    seen = "" if audit.grid_map.sees_everything() else " Dashed: what the model saw."
    st.html(markup.line(f"{stated[0].upper()}{stated[1:]}.{seen}", "ma-small"))


def _show_map(folder: str, study: str, audit: ImageAudit, choice: _Choice) -> None:
    st.html(markup.line("Map over the picture", "ma-th"))
    st.image(access.mapped(folder, study, audit.record.image, choice.position, choice.look), width="stretch")
    scale = pictures.map_scale(audit, choice.position, common=choice.look.common_scale)
    sentence = pictures.scale_sentence(scale, "token", common=choice.look.common_scale)
    unseen = "" if audit.grid_map.sees_everything() else " Hatched: cropped away before the model saw the picture."
    st.html(markup.colour_bar(scale, f"{sentence}.{unseen}"))


def _show_tables(audit: ImageAudit, choice: _Choice | None) -> None:
    rows = panels.scores(audit)
    kinds = Counter(row.kind for row in rows)
    asked = ", ".join(count_of(count, panels.KINDS[kind]) for kind, count in kinds.items())
    st.html(
        markup.section("All prompts") + markup.line(asked) + markup.score_table(rows, choice.position if choice else -1)
    )
    with st.expander(f"All measurements on this image ({len(audit.measurements)})"):
        st.html(markup.measurement_table(audit))


def _show_provenance(folder: str, audit: ImageAudit, choice: _Choice | None) -> None:
    with st.expander("Provenance"):
        picture, rest = st.columns(2, gap="large")
        picture.html(markup.section("Picture") + markup.facts(panels.image_facts(audit)))
        if choice is not None:
            facts = panels.attribution_facts(audit.attributions[choice.position])
            rest.html(markup.section("Map of this prompt") + markup.facts(facts))
        rest.html(markup.section("Run") + markup.facts(panels.run_facts(access.open_store(folder).run())))
