"""The page of the run: which model was audited with which pipeline."""

import streamlit as st

from medaudit.viewer import access, markup
from medaudit.viewer.access import Session
from medaudit.viewer.panels import run_facts


def show_run(session: Session) -> None:
    """Provenance of the run, and the pipeline as it was used."""
    run = access.open_store(session.folder).run()
    st.html(markup.heading("This audit", "Enough to repeat it: the model, the pipeline, the seed and the versions."))
    left, right = st.columns(2, gap="large")
    with left:
        st.html(markup.section("Run and model") + markup.facts(run_facts(run)))
    with right:
        st.html(markup.section("Pipeline"))
        st.code(run.pipeline_yaml, language="yaml", wrap_lines=True)
