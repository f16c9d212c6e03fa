"""On the page of the cohort: the studies with a finding of one kind, and the way to those nearest to them."""

from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medaudit.store.audit_store import AuditStore


def _page(folder):
    from medaudit.viewer.neighbours_view import show_neighbours

    show_neighbours(folder)


@pytest.fixture
def shown(audit_folder, known, tmp_path):
    """``shown(embedded)``: the part of the page, of an audit with or without embeddings."""

    def run(*, embedded):
        st.cache_resource.clear()
        folder = tmp_path / "audit"
        with AuditStore.open(audit_folder) as old, AuditStore.create(folder, known.run) as new:
            for place, code in enumerate(known.studies):
                vector = np.eye(3, dtype=np.float32)[place] if embedded else None
                study = old.study(code)
                new.save_study(replace(study, images=tuple(replace(one, embedding=vector) for one in study.images)), ())
        return AppTest.from_function(_page, args=(str(folder),), default_timeout=30).run()

    return run


def test_a_kind_that_two_studies_have_leads_to_both(shown, known):
    page = shown(embedded=True)
    assert not page.exception
    kind = page.selectbox(key="neighbours of")
    assert kind.options == [f"words, function share: {known.prompts[0][0]}"]
    first, second, third = known.studies
    text = "\n".join(element.proto.body for element in page.get("html"))
    assert f"<td>{first}</td><td>{third}</td><td>{second}</td>" in text
    assert "a place to look, not a cause" in text
    page.button(key=f"near With the finding too {third}").click().run()
    assert page.query_params["study"] in (third, [third])


def test_without_embeddings_there_is_nothing_to_show(shown):
    page = shown(embedded=False)
    assert not page.exception
    assert not page.get("html")
