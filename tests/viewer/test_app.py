"""The pages, run by Streamlit without a browser."""

import shutil
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medaudit.figures.wording import EVIDENCE
from medaudit.store.audit_store import AuditStore
from medaudit.viewer import app as module

APP = Path(module.__file__)


@pytest.fixture
def start(monkeypatch):
    def run(folder, **query):
        st.cache_resource.clear()
        st.cache_data.clear()
        monkeypatch.setattr(sys, "argv", [str(APP), str(folder)])
        page = AppTest.from_file(str(APP), default_timeout=30)
        for name, value in query.items():
            page.query_params[name] = value
        return page.run()

    return run


def html(page):
    return "\n".join(element.proto.body for element in page.get("html"))


def labels(page):
    return [button.label.replace("\\", "") for button in page.button]


def studies(page):
    return [label for label in labels(page) if label.startswith("S-")]


def check(page):
    assert not page.exception
    assert EVIDENCE in html(page)


def test_worklist_gravest_first(start, audit_folder, known):
    page = start(audit_folder)
    check(page)
    assert studies(page) == [known.studies[0], known.studies[2], known.studies[1]]
    assert "1 warning, 1 caution, 1 note" in html(page)
    assert "<script>" not in html(page)


def test_search_and_severities(start, audit_folder, known):
    page = start(audit_folder)
    page.text_input(key="search").set_value("script").run()
    assert studies(page) == [known.studies[2]]
    page.text_input(key="search").set_value("").run()
    page.button_group(key="severities").set_value(["nothing crossed"]).run()
    assert studies(page) == [known.studies[1]]
    page.text_input(key="search").set_value("no such thing").run()
    assert studies(page) == []
    assert "No study matches" in page.info[0].value
    check(page)


def test_open_a_study_and_come_back_with_the_filters_kept(start, audit_folder, known):
    page = start(audit_folder)
    page.text_input(key="search").set_value("example").run()
    page.button(key=f"open {known.studies[0]}").click().run()
    check(page)
    assert page.query_params["study"] == known.studies[0]
    assert "1 of 2" in html(page)
    page.button(key="back").click().run()
    assert "study" not in page.query_params
    assert page.text_input(key="search").value == "example"
    assert studies(page) == known.studies[:2]


def test_study_page_says_what_it_must(start, audit_folder, known):
    page = start(audit_folder, study=known.studies[0])
    check(page)
    said = html(page)
    for text in (
        "0.318",
        "+0.027",
        "neither a probability nor an accuracy",
        "What this does not show",
        "0 to 1.6 nats per token, common to all prompts of this image",
        "R at the left, L at the right",
        "Dashed: what the model saw.",
        "Hatched: cropped away",
        "<b>About this model</b> Trained on frontal radiographs of adults only.</p>",
        "5c" * 32,
    ):
        assert text in said
    assert len(page.get("image")) == 2
    assert page.get("download_button")[0].proto.label == "PDF report"


def test_controls_change_the_map(start, audit_folder, known):
    page = start(audit_folder, study=known.studies[0])

    def shown():
        return page.get("image")[-1].proto.imgs[0].url

    pictures = [shown()]
    page.slider(key="opacity").set_value(90).run()
    pictures.append(shown())
    page.slider(key="threshold of I-1").set_value(0.096).run()
    pictures.append(shown())
    page.radio(key="prompt").set_value(4).run()
    pictures.append(shown())
    assert "a photograph of a bicycle" in html(page)
    page.selectbox(key="scale").select("This prompt alone").run()
    pictures.append(shown())
    assert "for this prompt alone" in html(page)
    assert len(set(pictures)) == len(pictures)
    page.button_group(key="view").set_value("Map only").run()
    assert len(page.get("image")) == 1
    check(page)


def test_window_and_its_reset(start, audit_folder, known):
    page = start(audit_folder, study=known.studies[0])
    before = page.get("image")[0].proto.imgs[0].url
    page.toggle(key="own window of I-1").set_value(True).run()
    page.slider(key="centre of I-1").set_value(1000.0).run()
    assert page.get("image")[0].proto.imgs[0].url != before
    next(button for button in page.button if button.label == "As displayed to the model").click().run()
    assert page.get("image")[0].proto.imgs[0].url == before
    assert not page.toggle(key="own window of I-1").value
    check(page)


def test_image_chooser(start, audit_folder, known):
    page = start(audit_folder, study=known.studies[0])
    page.selectbox(key=f"image of {known.studies[0]}").select("I-2").run()
    assert "Much of the similarity rests on words" in html(page)
    check(page)


def test_a_colour_study_with_hostile_text(start, audit_folder, known):
    page = start(audit_folder, study=known.studies[2])
    check(page)
    assert "<script>" not in html(page)
    assert known.script.replace("<", "&lt;").replace(">", "&gt;") in html(page)
    last = page.radio(key="prompt").options[-1]
    assert last.startswith("\\<script\\>alert\\(1\\)\\<\\/script\\> \\!\\[x\\]\\(http\\:")
    page.radio(key="prompt").set_value(6).run()
    check(page)
    assert "<script>" not in html(page)
    assert any("No window" in caption.value for caption in page.caption)
    assert "Orientation not stated in the header." in html(page)
    assert any(button.label == "No PDF report" for button in page.button)


def test_fewer_prompts_in_the_next_study(start, audit_folder, known):
    page = start(audit_folder, study=known.studies[2])
    page.radio(key="prompt").set_value(6).run()
    page.button(key="Next").click().run()
    check(page)
    assert page.query_params["study"] == known.studies[1]
    assert page.radio(key="prompt").value == 0
    assert "no clearance" in html(page)


def test_files_page_shows_codes_and_no_paths(start, audit_folder):
    page = start(audit_folder)
    page.button_group(key="page").set_value("Files not audited").run()
    check(page)
    said = html(page)
    assert "F-02" in said
    assert "decode it with dcmtk first" in said
    assert "F-01" not in said
    assert "JANE" not in said


def test_run_page(start, audit_folder):
    page = start(audit_folder)
    page.button_group(key="page").set_value("This audit").run()
    check(page)
    assert "ab" * 32 in html(page)
    assert page.code[0].value.startswith("name: chest-radiograph")


def test_unknown_study(start, audit_folder):
    page = start(audit_folder, study="S-nobody")
    check(page)
    assert "this audit has no study S\\-nobody" in page.error[0].value
    page.button(key="leave").click().run()
    assert len(studies(page)) == 3


def test_no_audit(start, tmp_path):
    page = start(tmp_path)
    check(page)
    assert "holds no audit" in page.error[0].value


def test_empty_audit(start, tmp_path, known):
    AuditStore.create(tmp_path / "new", known.run).close()
    page = start(tmp_path / "new")
    check(page)
    assert "No study is finished yet" in page.info[0].value
    page.button_group(key="page").set_value("Files not audited").run()
    assert "No file is on record yet" in page.info[0].value


def test_lost_arrays_are_said_and_the_way_back_stays(start, audit_folder, tmp_path, known):
    folder = tmp_path / "audit"
    shutil.copytree(audit_folder, folder)
    (folder / "arrays" / known.studies[0] / "I-1.npz").unlink()
    page = start(folder, study=known.studies[0])
    check(page)
    assert "is missing" in page.error[0].value
    page.button(key="leave").click().run()
    assert len(studies(page)) == 3


def test_long_worklists_come_in_pages(start, tmp_path, known):
    many = tuple((f"S-{number:03d}", (), False) for number in range(60))
    page = start(known.store(tmp_path / "long", studies=many))
    check(page)
    assert studies(page) == [f"S-{number:03d}" for number in range(25)]
    page.number_input[0].set_value(3).run()
    assert studies(page) == [f"S-{number:03d}" for number in range(50, 60)]
    page.button(key="open S-059").click().run()
    check(page)
    assert "no image that could be audited" in page.info[0].value
