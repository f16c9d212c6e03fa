"""The panes and the text fields of a study: small components of our own, with nothing fetched."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from medaudit.records.review import Review
from medaudit.viewer import access, panes
from medaudit.viewer.access import Session

_HERE = Path(__file__).parent


def _source(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_PANES = st.components.v2.component(
    "medaudit_panes",
    html=_source("panes.html"),
    css=_source("panes.css"),
    js=_source("layers.js") + _source("panes.js"),
)
_NOTE = st.components.v2.component(
    "medaudit_note",
    html="<label><span></span><textarea></textarea></label>",
    css=_source("note.css"),
    js=_source("note.js"),
)


def show_panes(
    session: Session,
    place: tuple[str, str],
    position: int | None,
    review: Review,
    edit: Callable[[Callable[[Review], Review]], None] | None,
) -> None:
    """The picture of (study, image) and the map of a prompt; ``edit`` takes regions, None where none may be drawn."""
    study, code = place

    def drawn() -> None:
        sent = st.session_state["panes"]["drawn"]
        # What a browser sends late, from an image that was left, still goes where it was drawn.
        if edit is not None and sent:
            regions = panes.regions_of(sent["image"], sent["regions"])
            edit(lambda one: one.with_regions(sent["image"], regions))

    data = {
        "key": f"{study}/{code}",
        "image": access.image_data(session.folder, study, code, session.compare),
        "position": position,
        "regions": panes.region_data(review.regions, code),
        "writes": edit is not None,
    }
    _PANES(key="panes", data=data, on_drawn_change=drawn)


def show_note(
    name: str, target: str, text: str, write: Callable[[str], None] | None, *, label: str, placeholder: str
) -> None:
    """A text field that saves by itself; ``target`` is what is written about, ``write`` None where nothing may be."""
    key = f"note {name}"

    def written() -> None:
        sent = st.session_state[key]["written"]
        if write is not None and sent and sent["target"] == target:
            write(sent["text"])

    data = {"key": target, "label": label, "text": text, "placeholder": placeholder, "disabled": write is None}
    _NOTE(key=key, data=data, on_written_change=written)
