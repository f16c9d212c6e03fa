"""Where a session stands: the study in the address, by code, and the choices that outlive a page."""

from collections.abc import Mapping

import streamlit as st

from medaudit.viewer.panels import Order

STUDY = "study"

SIDE_BY_SIDE, MAP_ONLY = "Side by side", "Map only"
COMMON_SCALE, OWN_SCALE = "All prompts of this image", "This prompt alone"

# Streamlit forgets a widget's value on a page that does not draw the widget, and wants the first value from one place.
_CHOICES: Mapping[str, object] = {
    "page": "Worklist",
    "search": "",
    "severities": [],
    "order": Order.GRAVEST,
    "prompt": 0,
    "view": SIDE_BY_SIDE,
    "opacity": 55,
    "scale": COMMON_SCALE,
}


def keep_choices() -> None:
    """Carry choices over pages that do not offer them; call once a run, before any widget."""
    for key, first in _CHOICES.items():
        choice = st.session_state.get(key)
        st.session_state[key] = first if choice is None else choice


def current_study() -> str | None:
    """Code of the study that the address names."""
    return st.query_params.get(STUDY)


def open_study(code: str) -> None:
    """Go to a study; for a button's ``on_click``."""
    st.query_params[STUDY] = code


def close_study() -> None:
    """Go back to the worklist; for a button's ``on_click``."""
    st.query_params.pop(STUDY, None)
