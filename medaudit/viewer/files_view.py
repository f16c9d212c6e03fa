"""The page of the files that were not audited, with the reason and never the path."""

import streamlit as st

from medaudit.figures.wording import count_of
from medaudit.records import FileFate
from medaudit.viewer import access, markup
from medaudit.viewer.access import Session
from medaudit.viewer.paging import show_pages
from medaudit.viewer.panels import FATES, excluded_files, fate_counts

_EVERY = "all"
_USED = (FileFate.AUDITED, FileFate.TEXT)
_SUB = "Every input file is accounted for. Files are named by code: a file name may name a patient."


def show_files(session: Session) -> None:
    """Counts by fate, and a table of the files that are not part of the audit."""
    files = access.files(session.folder)
    st.html(markup.heading("Files not audited", _SUB))
    counts = fate_counts(files)
    if not files:
        st.info(
            "No file is on record yet. The audit may still be reading its input.", icon=":material/hourglass_empty:"
        )
        return
    st.html(
        markup.tallies(
            (count, FATES[fate], "warning" if fate is FileFate.FAILED else "plain") for fate, count in counts.items()
        )
    )
    fates = [fate.value for fate in counts if fate not in _USED]
    if not fates:
        st.success("Every file was audited or read as report text.", icon=":material/check:")
        return
    chosen = st.pills("Fate", [_EVERY, *fates], default=_EVERY, label_visibility="collapsed")
    shown = excluded_files(files, None if chosen in (None, _EVERY) else FileFate(chosen))
    st.html(markup.line(count_of(len(shown), "file")))
    show_pages(shown, 50, "files page", lambda part: st.html(markup.file_table(part)))
