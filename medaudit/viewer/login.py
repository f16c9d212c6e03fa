"""Who this session is: the one reader of a viewer without a login, or whom OpenID Connect vouches for."""

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medaudit.errors import UsageError
from medaudit.viewer import markup
from medaudit.viewer.people import Person, Role, person_of, read_roles
from medaudit.viewer.settings import Settings


def current_person(settings: Settings) -> Person | None:
    """Who is here; None after the page of the login, or of a login that opens nothing, was drawn.

    The file of roles is read at every step: who is struck off it sees no further page.
    """
    if settings.roles is None:
        return Person(settings.reader, Role.READER)
    if not st.user.is_logged_in:
        _ask("Log in to read this audit.")
        return None
    try:
        person = person_of(st.user.to_dict(), read_roles(settings.roles))
    except UsageError:
        with _gate():
            st.html(markup.heading("medaudit", "The file of roles cannot be read: nobody comes in until it can be."))
        return None
    if person is None:
        with _gate():
            st.html(markup.heading("medaudit", "This login has no role in this audit. Ask whoever keeps its roles."))
            st.button("Log out", on_click=st.logout, key="logout")
        return None
    if not person.may_stay(time.time()):
        _ask("Your login is more than twelve hours old. Log in again to read on; what you wrote is saved.")
        return None
    return person


def show_person(person: Person) -> None:
    """Who is here and a way out; nothing where nobody logs in."""
    if person.login_at is None:
        return
    st.html(markup.line(f"{person.reader} \u00b7 {person.role.value}", "ma-small"), width="content")
    st.button("Log out", on_click=st.logout, key="logout", type="tertiary")


def _gate() -> DeltaGenerator:
    return st.container(key="gate", horizontal_alignment="center")


def _ask(sentence: str) -> None:
    with _gate():
        st.html(markup.heading("medaudit", sentence))
        st.button("Log in", on_click=st.login, type="primary", key="login")
