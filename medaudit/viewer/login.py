"""Who this session is: the one reader of a viewer without a login, or whom OpenID Connect vouches for."""

import streamlit as st

from medaudit.viewer import markup
from medaudit.viewer.people import Person, Role, person_of, read_roles
from medaudit.viewer.settings import Settings


def current_person(settings: Settings) -> Person | None:
    """Who is here; None after the page of the login, or of a login without a role, was drawn."""
    if settings.roles is None:
        return Person(settings.reader, Role.READER)
    if not st.user.is_logged_in:
        st.html(markup.heading("medaudit", "Log in to read this audit."))
        st.button("Log in", on_click=st.login, type="primary", key="login")
        return None
    person = person_of(st.user.to_dict(), read_roles(settings.roles))
    if person is None:
        st.error("This login has no role in this audit. Ask whoever keeps the file of roles.", icon=":material/block:")
        st.button("Log out", on_click=st.logout, key="logout")
    return person
