"""Where a session stands: the study in the address, by code, and the choices that outlive a page."""

from collections.abc import Mapping

import streamlit as st

from medaudit.store.worklist import Order

STUDY = "study"

ANY = "any"
"""What a filter says when it keeps all."""

# Streamlit forgets a widget's value on a page that does not draw the widget, and wants the first value from one place.
_CHOICES: Mapping[str, object] = {
    "page": "Worklist",
    "search": "",
    "severities": [],
    "statuses": [],
    "order": Order.GRAVEST,
    "finding": ANY,
    "asked": ANY,
    "keyword": ANY,
    "value": ANY,
    "list page": 1,
    "prompt": 0,
    "hide": False,
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


def has_looked(study: str) -> bool:
    """Whether the model's output is shown: nothing hides it, or this reader has looked at the picture first."""
    return not st.session_state["hide"] or study in st.session_state.setdefault("looked", set())


def look(study: str) -> None:
    """The reader has looked at the picture; for a button's ``on_click``."""
    st.session_state.setdefault("looked", set()).add(study)
