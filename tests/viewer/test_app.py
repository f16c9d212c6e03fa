"""The pages, run by Streamlit without a browser."""

import gc
import json
import shutil
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medaudit.figures.wording import EVIDENCE
from medaudit.records import ImageAudit
from medaudit.records.review import Decision
from medaudit.store.audit_store import AuditStore
from medaudit.store.verification import open_reviews, verify_reviews
from medaudit.viewer import access
from medaudit.viewer import app as module
from medaudit.viewer.settings import Settings

APP = Path(module.__file__)
PASSPHRASE = "correct horse"  # noqa: S105 - of this test alone


@pytest.fixture
def start(monkeypatch):
    def run(folder, reader="reader", **query):
        st.cache_resource.clear()
        st.cache_data.clear()
        monkeypatch.setattr(sys, "argv", [str(APP), Settings(Path(folder), reader).argument()])
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
        "nats per word, common to all prompts of this image",
        "data:image/svg+xml;base64,",
        "Insertion. Area: map 0.2",
        "R at the left, L at the right",
        "Dashed: what the model saw.",
        "<b>About this model</b> Trained on frontal radiographs of adults only.</p>",
        "5c" * 32,
    ):
        assert text in said
    assert panes(page)["position"] == 0
    assert page.get("download_button")[0].proto.label == "PDF report"


def panes(page):
    (one,) = [element for element in page.get("bidi_component") if element.proto.component_name == "medaudit_panes"]
    return json.loads(one.proto.json)


def test_the_prompt_chooses_the_map(start, audit_folder, known):
    page = start(audit_folder, study=known.studies[0])
    page.radio(key="prompt").set_value(4).run()
    shown = panes(page)
    assert (shown["key"], shown["position"]) == (f"{known.studies[0]}/I-1", 4)
    assert shown["image"]["maps"][4]["prompt"] == "a photograph of a bicycle"
    assert "a photograph of a bicycle" in html(page)
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
    assert "No window: the picture is in colour." in html(page)
    assert panes(page)["image"]["values"] is None
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


def test_a_server_forgets_the_pictures_of_studies_that_were_left(start, tmp_path, known):
    """Streamlit keeps the functions of every widget that ever had a key of its own: none may hold a picture."""
    codes = [f"left-{number}" for number in range(access.IMAGES_KEPT // 2 + 2)]  # two images each
    folder = known.store(tmp_path / "many", studies=tuple((code, (known.findings[1:2], ()), False) for code in codes))
    page = start(folder, study=codes[0])
    for code in codes:
        if code != codes[0]:
            page.button(key="Next").click().run()
        page.selectbox(key=f"image of {code}").select("I-2").run()
        page.button(key="decide agree").click().run()
        page.selectbox(key=f"target of {code} I-2").select_index(1).run()
        check(page)
    gc.collect()
    held = [one for one in gc.get_objects() if type(one) is ImageAudit and one.record.study in codes]
    assert len(held) == access.IMAGES_KEPT


@pytest.fixture
def own_folder(audit_folder, tmp_path):
    """A copy of the audit, whose reviews are this test's alone, with a passphrase."""
    folder = tmp_path / "audit"
    shutil.copytree(audit_folder, folder)
    for left in folder.glob("reviews.sqlite*"):
        left.unlink()
    with open_reviews(folder) as reviews:
        for reader in ("reader", "second"):
            reviews.set_passphrase(reader, PASSPHRASE)
    return folder


def decide(page, decision):
    return page.button(key=f"decide {decision}").click().run()


def sign(page, passphrase=PASSPHRASE, name="Dr A. Reader", amendment=None):
    page.text_input(key="printed name").set_value(name)
    page.text_input(key="passphrase").set_value(passphrase)
    if amendment is not None:
        page.text_input(key="amendment").set_value(amendment)
    next(button for button in page.button if button.label == "Sign").click().run()


def test_decide_sign_amend(start, own_folder, known):
    study = known.studies[0]
    page = decide(start(own_folder, study=study), "agree")
    assert "Draft, saved (1)." in html(page)
    assert page.selectbox(key=f"target of {study} I-1").label == "Decide on (1 of 2 done on this image)"
    sign(page, "wrong horse")
    assert "not your passphrase" in page.error[0].value
    sign(page, name=" ")
    assert "printed name" in page.error[0].value.replace("\\", "")
    sign(page)
    check(page)
    assert "Head of the journal: " in page.success[0].value
    assert "Dr A. Reader" in html(page)
    decide(page, "unsure")
    assert "Changed since it was signed" in html(page)
    sign(page, amendment="")
    assert "expected a reason" in page.error[0].value.replace("\\", "")
    sign(page, amendment="looked again")
    assert "Amended: looked again" in html(page)
    found = verify_reviews(own_folder)
    assert (found.signatures, found.faults) == (2, ())
    with open_reviews(own_folder) as reviews:
        first, second = reviews.signed(study, "reader")
        assert [one.review.answers[0].decision for one in (first, second)] == [Decision.AGREE, Decision.UNSURE]
        actions = [entry.facts["action"] for entry in reviews.journal() if entry.facts["action"] != "passphrase"]
    assert actions == ["draft", "refused", "sign", "draft", "sign"]


def test_choosing_a_target_shows_its_map(start, own_folder, known):
    page = start(own_folder, study=known.studies[0])
    page.selectbox(key=f"target of {known.studies[0]} I-1").select_index(1).run()
    assert page.radio(key="prompt").value == 2
    assert panes(page)["position"] == 2
    page.radio(key="prompt").set_value(0).run()
    assert page.selectbox(key=f"target of {known.studies[0]} I-1").value == 0
    decide(page, "agree")
    page.button(key="next open").click().run()
    assert page.selectbox(key=f"target of {known.studies[0]} I-1").value == 1
    assert page.radio(key="prompt").value == 2
    check(page)


def test_the_models_output_hides_until_the_reader_has_looked(start, own_folder, known):
    page = start(own_folder, study=known.studies[0])
    page.toggle(key="hide").set_value(True).run()
    assert panes(page)["position"] is None
    assert page.radio == []
    for secret in ("0.318", known.findings[1].claim, "cosine"):
        assert secret not in html(page)
    page.button(key="look").click().run()
    assert panes(page)["position"] == 0
    assert "0.318" in html(page)
    page.button(key="Next").click().run()
    assert panes(page)["position"] is None
    check(page)


def test_double_reading_is_blind_until_one_has_signed(start, own_folder, known):
    study = known.studies[0]
    page = decide(start(own_folder, study=study), "agree")
    sign(page)
    other = start(own_folder, reader="second", study=study)
    assert "1 other reader signed; shown once you have." in html(other)
    assert "Dr A. Reader" not in html(other)
    decide(other, "disagree")
    assert "Dr A. Reader" not in html(other)
    sign(other, name="Dr B. Second")
    assert "Dr A. Reader" in html(other)
    other.button(key="back").click().run()
    other.button_group(key="page").set_value("Cohort").run()
    check(other)
    assert "reader and second" in html(other)


def test_progress_and_going_on(start, own_folder, known):
    page = decide(start(own_folder, study=known.studies[1]), "unsure")
    sign(page)
    page.button(key="back").click().run()
    check(page)
    assert f"Go on with {known.studies[1]}" in labels(page)
    page.button_group(key="statuses").set_value(["signed"]).run()
    assert studies(page) == [known.studies[1]]
    page.button_group(key="statuses").set_value(["open"]).run()
    assert known.studies[1] not in studies(page)


def test_filters_by_finding_prompt_and_element(start, own_folder, known):
    page = start(own_folder)
    page.selectbox(key="finding").select("negation.margin").run()
    assert studies(page) == [known.studies[0]]
    page.selectbox(key="finding").select("any").run()
    page.selectbox(key="keyword").select("Manufacturer").run()
    page.selectbox(key="value").select(known.script).run()
    assert studies(page) == [known.studies[2]]
    check(page)


def test_the_cohort_leads_to_its_studies(start, own_folder, known):
    page = start(own_folder)
    page.button_group(key="page").set_value("Cohort").run()
    check(page)
    assert "no patient is named" in html(page)
    page.button(key="cohort negation.margin warning").click().run()
    check(page)
    assert studies(page) == [known.studies[0]]


def test_without_a_passphrase_nobody_signs(start, own_folder, known):
    page = decide(start(own_folder, reader="third", study=known.studies[0]), "agree")
    assert "--set-passphrase" in html(page)
    assert "Sign" not in labels(page)
