"""The Streamlit script: ``streamlit run app.py -- FOLDER``, started by :mod:`medaudit.viewer.serve`."""

import sys
from pathlib import Path

import streamlit as st

from medaudit.errors import StoreError
from medaudit.figures.wording import EVIDENCE
from medaudit.records import RunRecord
from medaudit.viewer import access, markup
from medaudit.viewer.files_view import show_files
from medaudit.viewer.run_view import show_run
from medaudit.viewer.state import close_study, current_study, keep_choices
from medaudit.viewer.study_view import show_study
from medaudit.viewer.worklist_view import show_worklist

_HERE = Path(__file__).parent
_PAGES = {"Worklist": show_worklist, "Files not audited": show_files, "This audit": show_run}


def main(folder: str) -> None:
    """Draw one page: the study that the address names, or one of the three overviews."""
    icon = (_HERE / "icon.svg").read_text(encoding="utf-8")
    st.set_page_config(page_title="medaudit", page_icon=icon, layout="wide", initial_sidebar_state="expanded")
    st.html(_HERE / "style.css")
    keep_choices()
    try:
        run = access.open_store(folder).run()
        study = current_study()
        if study is not None:
            show_study(folder, study)
        else:
            _show_overview(folder, run)
    except StoreError as error:
        st.error(markup.markdown(str(error)), icon=":material/error:")
        if current_study() is not None:
            st.button("Back to the worklist", on_click=close_study, key="leave")
    st.html(markup.line(EVIDENCE, "ma-foot"))


def _show_overview(folder: str, run: RunRecord) -> None:
    with st.container(key="top", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(markup.brand(run), width="content")
        page = st.segmented_control("Page", list(_PAGES), key="page", label_visibility="collapsed")
    _PAGES[page or "Worklist"](folder)


if __name__ == "__main__":
    main(sys.argv[1])
