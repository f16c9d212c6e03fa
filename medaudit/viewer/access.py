"""The pages' way to the store: one handle a server, a few images in memory, what the browser gets made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from medaudit.figures.neighbours import Neighbours, nearest_studies
from medaudit.records import CohortAudit, FileRecord, ImageAudit, Severity
from medaudit.records.review import SignedReview
from medaudit.store.audit_store import AuditStore
from medaudit.store.placed import CohortRows
from medaudit.store.review_store import ReviewStore, Status
from medaudit.store.verification import open_reviews
from medaudit.store.worklist import Facets, Search, StudySummary
from medaudit.viewer import panes
from medaudit.viewer.people import Person
from medaudit.viewer.second import Second
from medaudit.viewer.settings import Settings

# A page redraws at every key stroke of a search; a running audit adds a study every few seconds.
_FRESH_SECONDS = 5
_SLOW_SECONDS = 60

IMAGES_KEPT = 8
"""Images that a server holds in memory for all its sessions, beside those that a window shows."""


@dataclass(frozen=True, slots=True)
class Session:
    """How the viewer was started, and who sits before it."""

    settings: Settings
    person: Person

    @property
    def folder(self) -> str:
        """The audit folder."""
        return str(self.settings.folder)

    @property
    def compare(self) -> str | None:
        """The folder of the second audit."""
        return None if self.settings.compare is None else str(self.settings.compare)

    @property
    def reviews(self) -> ReviewStore:
        """The reviews of this audit."""
        return reviews(self.folder, self.settings.database)

    def statuses(self) -> Mapping[str, Status]:
        """How far this person is, for every study that was begun."""
        return self.reviews.statuses(self.person.reader)


@st.cache_resource(show_spinner=False)
def open_store(folder: str) -> AuditStore:
    """The audit, opened once for all sessions of a server."""
    return AuditStore.open(Path(folder))


@st.cache_resource(show_spinner=False)
def reviews(folder: str, database: str | None) -> ReviewStore:
    """The reviews, opened once for all sessions of a server."""
    return open_reviews(Path(folder), database)


@st.cache_resource(max_entries=64, ttl=_FRESH_SECONDS, show_spinner=False, hash_funcs={Search: repr})
def find(folder: str, search: Search) -> tuple[str, ...]:
    """Codes of the studies that a search keeps, at most a few seconds old."""
    return open_store(folder).find(search)


@st.cache_resource(max_entries=64, ttl=_FRESH_SECONDS, show_spinner=False)
def summaries(folder: str, codes: Sequence[str]) -> tuple[StudySummary, ...]:
    """Some studies in short, at most a few seconds old."""
    return open_store(folder).summaries(codes)


@st.cache_resource(max_entries=4, ttl=_FRESH_SECONDS, show_spinner=False)
def severity_counts(folder: str) -> Mapping[Severity | None, int]:
    """How many studies have which gravest severity."""
    return open_store(folder).severity_counts()


@st.cache_resource(max_entries=4, ttl=_SLOW_SECONDS, show_spinner=False)
def facets(folder: str) -> Facets:
    """What the worklist can be narrowed by, at most a minute old."""
    return open_store(folder).facets()


@st.cache_resource(max_entries=4, ttl=_FRESH_SECONDS, show_spinner=False)
def files(folder: str) -> tuple[FileRecord, ...]:
    """What became of every file, at most a few seconds old."""
    return open_store(folder).files()


@st.cache_resource(max_entries=4, ttl=_FRESH_SECONDS, show_spinner=False)
def signed(folder: str, database: str | None) -> tuple[SignedReview, ...]:
    """Every signed edition, at most a few seconds old."""
    return reviews(folder, database).signed()


@st.cache_resource(max_entries=2, ttl=_SLOW_SECONDS, show_spinner=False)
def cohort_rows(folder: str) -> CohortRows:
    """Every score, measurement and finding, at most a minute old."""
    return open_store(folder).cohort()


@st.cache_resource(max_entries=2, ttl=_SLOW_SECONDS, show_spinner=False)
def cohort_audit(folder: str) -> CohortAudit | None:
    """What was measured over all studies together, at most a minute old."""
    return open_store(folder).cohort_audit()


@st.cache_resource(max_entries=2, ttl=_SLOW_SECONDS, show_spinner=False)
def neighbours(folder: str) -> tuple[Neighbours, ...]:
    """Of every study with a finding, those that look most alike to the model, at most a minute old."""
    return nearest_studies(cohort_rows(folder), open_store(folder).cohort_material())


@st.cache_resource(max_entries=8, ttl=_SLOW_SECONDS, show_spinner=False)
def element(folder: str, keyword: str) -> Mapping[str, str]:
    """The value of an element by study, at most a minute old."""
    return open_store(folder).element(keyword)


# A resource and not data: data is pickled for every session, and a record is frozen anyway.
@st.cache_resource(max_entries=IMAGES_KEPT, show_spinner=False)
def image(folder: str, study: str, code: str) -> ImageAudit:
    """One image with its arrays."""
    return open_store(folder).image(study, code)


@st.cache_resource(max_entries=IMAGES_KEPT, show_spinner=False)
def second(compare: str, folder: str, study: str, code: str) -> Second | None:
    """The same picture in a second audit; None where that audit does not have it."""
    store = open_store(compare)
    place = store.same_picture(image(folder, study, code).record)
    return None if place is None else Second(store.run(), image(compare, *place))


@st.cache_resource(max_entries=IMAGES_KEPT, show_spinner=False)
def image_data(folder: str, study: str, code: str, compare: str | None = None) -> dict[str, Any]:
    """What the browser gets of an image."""
    other = second(compare, folder, study, code) if compare else None
    return panes.image_data(image(folder, study, code), other)
