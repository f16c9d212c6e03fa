"""The pages' way to the store: one handle a server, a few images in memory, pictures rendered once."""

from pathlib import Path

import streamlit as st

from medaudit.records import FileRecord, ImageAudit
from medaudit.store.audit_store import AuditStore
from medaudit.store.worklist import StudySummary
from medaudit.viewer import pictures

# A page redraws at every key stroke of a search; a running audit adds a study every few seconds.
_FRESH_SECONDS = 5


@st.cache_resource(show_spinner=False)
def open_store(folder: str) -> AuditStore:
    """The audit, opened once for all sessions of a server."""
    return AuditStore.open(Path(folder))


@st.cache_resource(max_entries=4, ttl=_FRESH_SECONDS, show_spinner=False)
def worklist(folder: str) -> tuple[StudySummary, ...]:
    """Every study in short, at most a few seconds old."""
    return open_store(folder).worklist()


@st.cache_resource(max_entries=4, ttl=_FRESH_SECONDS, show_spinner=False)
def files(folder: str) -> tuple[FileRecord, ...]:
    """What became of every file, at most a few seconds old."""
    return open_store(folder).files()


# A resource and not data: data is pickled for every session, and a record is frozen anyway.
@st.cache_resource(max_entries=8, show_spinner="Reading the image …")
def image(folder: str, study: str, code: str) -> ImageAudit:
    """One image with its arrays."""
    return open_store(folder).image(study, code)


@st.cache_data(max_entries=32, show_spinner=False)
def source(folder: str, study: str, code: str, window: tuple[float, float] | None) -> str:
    """The picture of an image, as SVG."""
    return pictures.source_svg(image(folder, study, code), window)


@st.cache_data(max_entries=64, show_spinner=False)
def mapped(folder: str, study: str, code: str, position: int, look: pictures.Look) -> str:
    """The map of a prompt over the picture, as SVG."""
    return pictures.overlay_svg(image(folder, study, code), position, look)
