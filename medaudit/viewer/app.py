"""The Streamlit script: ``streamlit run app.py -- SETTINGS``, started by :mod:`medaudit.viewer.serve`."""

import sys
from pathlib import Path

import streamlit as st

from medaudit.errors import StoreError
from medaudit.figures.wording import EVIDENCE
from medaudit.viewer import access, markup
from medaudit.viewer.access import Session
from medaudit.viewer.cohort_view import show_cohort
from medaudit.viewer.files_view import show_files
from medaudit.viewer.login import current_person, show_person
from medaudit.viewer.run_view import show_run
from medaudit.viewer.settings import Settings
from medaudit.viewer.state import close_study, current_study, keep_choices
from medaudit.viewer.study_view import show_study
from medaudit.viewer.theme import is_light
from medaudit.viewer.worklist_view import show_worklist

_HERE = Path(__file__).parent
_PAGES = {
    "Worklist": show_worklist,
    "Cohort": show_cohort,
    "Files not audited": show_files,
    "This audit": show_run,
}


def main(settings: Settings) -> None:
    """Draw one page: the study that the address names, or one of the overviews."""
    icon = (_HERE / "icon.svg").read_text(encoding="utf-8")
    st.set_page_config(page_title="medaudit", page_icon=icon, layout="wide", initial_sidebar_state="expanded")
    st.html(_HERE / "style.css")
    if is_light():
        st.html(_HERE / "light.css")
    person = current_person(settings)
    if person is None:
        return
    session = Session(settings, person)
    keep_choices()
    try:
        study = current_study()
        if study is not None:
            show_study(session, study)
        else:
            _show_overview(session)
    except StoreError as error:
        st.error(markup.markdown(str(error)), icon=":material/error:")
        if current_study() is not None:
            st.button("Back to the worklist", on_click=close_study, key="leave")
    st.html(markup.line(EVIDENCE, "ma-foot"))


def _show_overview(session: Session) -> None:
    run = access.open_store(session.folder).run()
    with st.container(key="top", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(markup.brand(run), width="stretch")
        show_person(session.person)
        page = st.segmented_control("Page", list(_PAGES), key="page", label_visibility="collapsed")
    _PAGES[page or "Worklist"](session)


if __name__ == "__main__":
    main(Settings.from_argument(sys.argv[1]))
