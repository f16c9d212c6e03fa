import json
import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pypdf
import pytest

from medaudit.errors import StoreError
from medaudit.figures.wording import NO_CLEARANCE
from medaudit.records import StudyAudit
from medaudit.records.review import Answer, Decision, Meaning, Reason, Review, SignedReview, Subject, Target
from medaudit.report.catalogue import find_catalogue
from medaudit.report.layout import Layout, Section
from medaudit.report.plain import provenance_json
from medaudit.report.study_pdf import study_pdf


def _pages(document):
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(BytesIO(document)).pages]


@pytest.fixture(scope="module")
def document(build):
    return study_pdf(build.run, build.study(), Layout(institution="City Hospital"))


@pytest.fixture(scope="module")
def pages(document):
    return _pages(document)


def test_the_same_records_give_the_same_bytes(build, document):
    again = study_pdf(build.run, build.study(), Layout(institution="City Hospital"))
    assert again == document
    assert len(document) < 1_500_000


def test_the_first_page_is_the_verdict(pages):
    first = pages[0]
    for text in (
        "City Hospital",
        "Study S-4F2A91C7",
        "BiomedCLIP-PubMedBERT_256-v",
        "chest-radiograph",
        "Body Part Examined",
        "2 findings in 5 measurements",
        "The map of this prompt hardly differs from the map of a sentence about something else.",
        "map correlation 0.94 (threshold 0.8)",
        "similarity gap 0.007 (threshold 0.02)",
        "(threshold 0.8) \u00b7 \u201cFindings suggesting pleural effusion.\u201d \u00b7 against",
        "0 to 3.2 nats per token, common to all prompts of this image",
        "Line: 1.6 nats",
        "Hatched: not seen by the model",
        "5 cm",
    ):
        assert text in first, text
    assert "0.007 (threshold 0.02) \u00b7" not in first  # that claim names its prompts itself
    assert first.index("Warning") < first.index("Caution")


def test_the_first_page_lists_every_prompt_with_cosine_and_margins(build, pages):
    for text, _, _, similarity, _ in build.asked:
        assert f"{text} " in pages[0]
        assert f"{similarity:.3f}" in pages[0]
    assert "+0.007 +0.345" in pages[0]


def test_each_finding_prompt_has_a_block_with_words_and_solver(pages):
    blocks = " ".join(pages[1:3])
    for text in (
        "Finding prompt · pleural effusion Findings suggesting pleural effusion. 0.55 1.25 0.20 0.90",
        "Finding prompt · cardiomegaly",
        "Finding prompt · pneumothorax",
        "No token reaches the line\u2019s 1.6 nats.",
        "Loss at the end 0.117 0.117",
        "Seed 4611686018427387904",
        "0 to 2.4 nats per word",
    ):
        assert text in blocks, text


def test_curves_stand_on_the_page_of_their_prompt(build):
    walked = (build.asked[0][0],)
    for language, said in (
        ("en", "share of the picture hidden (%)"),
        ("de", "Anteil des Bildes, der verdeckt ist (%)"),
    ):
        layout = Layout(language=language)
        document = study_pdf(build.run, build.study(build.image(walked=walked)), layout)
        (page,) = [text for page in pypdf.PdfReader(BytesIO(document)).pages if said in (text := page.extract_text())]
        assert "pleural effusion" in page
        assert {"map", "random", "constant", "centre"} <= set(page.split()) or language == "de"
        assert document == study_pdf(build.run, build.study(build.image(walked=walked)), layout)


def test_measurements_stand_against_their_thresholds(pages):
    text = " ".join(pages)
    assert "negation similarity gap 0.007 0.02 caution" in text
    assert "border mass share 0.04 0.25 within" in text
    assert "repeat map similarity 0.981 \u2013 measured" in text
    assert "Does not show That the region is wrong" in text
    assert "What to do Treat the map as a picture" in text


def test_what_is_not_shown_and_where_it_comes_from(build, pages):
    text = " ".join(pages)
    assert "What this does not show Whether a finding is present." in text
    assert "What lies in the hatched area." in text
    image = build.image().record
    for value in (
        *build.run.model.files.values(),
        build.run.pipeline_digest,
        str(build.run.seed),
        build.run.started,
        image.pixel_sha256,
        image.transfer_syntax,
        image.decoder,
        image.display,
        "learning rate 1",
        "torch 2.5.1",
    ):
        assert value in text, value


def test_every_page_has_the_sentence_and_its_number(pages):
    for index, page in enumerate(pages):
        assert find_catalogue("en").say("footer") in page
        assert f"page {index + 1} of {len(pages)}" in page


def test_properties_language_and_outline(document):
    reader = pypdf.PdfReader(BytesIO(document))
    assert reader.metadata.title == "medaudit report of study S-4F2A91C7"
    assert reader.metadata.author == "medaudit"
    assert "BiomedCLIP" in reader.metadata.subject
    assert reader.trailer["/Root"]["/Lang"] == "en"
    titles = [entry.title for entry in reader.outline if not isinstance(entry, list)]
    assert titles == [
        "Summary",
        "Prompt by prompt",
        "Measurements",
        "Settings and method",
        "What this does not show",
        "Review",
        "Provenance",
    ]
    nested = next(entry for entry in reader.outline if isinstance(entry, list))
    assert nested[0].title.startswith("pleural effusion: Findings")
    assert reader.get_destination_page_number(nested[0]) == 1


def test_both_cuts_of_the_font_are_embedded(document):
    reader = pypdf.PdfReader(BytesIO(document))
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]
    noto = [font for font in fonts if "NotoSans" in font["/BaseFont"]]
    assert {font["/BaseFont"].split("+")[1] for font in noto} == {"NotoSans-Regular", "NotoSans-SemiBold"}
    assert all("/FontFile2" in font["/FontDescriptor"] for font in noto)


def test_markup_in_a_prompt_or_an_element_is_text(build):
    nasty = '<b>&amp;"</para> </font><img src="x"/>'
    asked = tuple((nasty + text, kind, finding and nasty, *rest) for text, kind, finding, *rest in build.asked)
    image = build.image(asked=asked, elements={"Manufacturer": nasty}, notes=(nasty,), decoder=nasty)
    run = replace(build.run, pipeline_name=nasty, model=replace(build.run.model, name=nasty, notes=(nasty,)))
    pages = _pages(study_pdf(run, build.study(image, elements={"StudyDescription": nasty}), Layout(institution=nasty)))
    for page in (pages[0], pages[-1]):
        assert page.count(nasty) >= 3


def test_without_findings_the_report_is_no_clearance(build):
    first = _pages(study_pdf(build.run, build.study(build.image(findings=0)), Layout()))[0]
    assert "No measurement crossed its threshold." in first
    assert f"{NO_CLEARANCE} All 5 measurements of this pipeline stayed" in first


def test_what_is_known_of_the_model_stands_by_the_verdict(build, pages):
    note = "Random weights: this model has learnt nothing."
    run = replace(build.run, model=replace(build.run.model, notes=(note, "A second note.")))
    noted = _pages(study_pdf(run, build.study(), Layout()))
    first = noted[0]
    assert f"About this model {note} A second note." in first
    assert first.index("2 findings in 5 measurements") < first.index("About this model") < first.index("Prompt Kind")
    assert "+0.007 +0.345" in first
    assert any(f"Note {note} Note A second note." in page for page in noted[1:])
    assert "About this model" not in pages[0]


def test_long_notes_on_the_model_are_cut_on_the_first_page_only(build):
    run = replace(build.run, model=replace(build.run.model, notes=("word " * 200 + "end",)))
    pages = _pages(study_pdf(run, build.study(), Layout(page_size="Letter")))
    assert "word\u2026" in pages[0]
    assert "word end" not in pages[0]
    assert "+0.007 +0.345" in pages[0]
    assert any("word end" in page for page in pages[1:])


def test_the_values_of_an_element_break_between_each_other(build):
    image_type = "ORIGINAL\\PRIMARY\\OBSTETRICAL\\0001"
    study = build.study(elements={"ImageType": image_type})
    first = pypdf.PdfReader(BytesIO(study_pdf(build.run, study, Layout()))).pages[0].extract_text()
    lines = [line.strip() for line in first.splitlines() if "PRIMARY" in line or "OBSTETRICAL" in line]
    assert lines == ["ORIGINAL\\PRIMARY\\", "OBSTETRICAL\\0001"]


def test_without_measurements_there_is_no_verdict(build):
    image = replace(build.image(findings=0), measurements=())
    assert "No measurement was made." in _pages(study_pdf(build.run, build.study(image), Layout()))[0]


def test_more_than_three_findings_are_counted_on_the_first_page(build):
    images = [build.image(image=f"I-{index}") for index in range(3)]
    first = _pages(study_pdf(build.run, build.study(*images), Layout()))[0]
    assert "6 findings in 15 measurements" in first
    assert "3 more under Measurements." in first
    assert first.count("Warning") == 3
    assert "image I-2" in first


def test_spacing_at_the_detector_is_labelled_as_such(build):
    image = build.image(pixel_spacing=None, imager_pixel_spacing=(0.14, 0.14))
    text = " ".join(_pages(study_pdf(build.run, build.study(image), Layout())))
    assert "2 cm at the detector" in text
    assert "0.14 \u00d7 0.14 mm at the detector" in text


def test_unknown_spacing_and_orientation_are_said(build):
    image = build.image(pixel_spacing=None, patient_orientation=None)
    first = _pages(study_pdf(build.run, build.study(image), Layout()))[0]
    assert "no scale bar: pixel spacing not stated in the header" in first
    assert "No letters: orientation not stated in the header." in first


def test_negative_relevance_is_mentioned(build):
    image = build.image()
    first = image.attributions[0]
    signed = replace(first, image=replace(first.image, values=first.image.values - np.float32(1)))
    shown = replace(image, attributions=(signed, *image.attributions[1:]))
    assert "Negative relevance, down to \u2212" in _pages(study_pdf(build.run, build.study(shown), Layout()))[0]


def test_sections_follow_the_layout(build):
    layout = Layout(sections=(Section.LIMITS, Section.PROMPTS))
    text = " ".join(_pages(study_pdf(build.run, build.study(), layout)))
    assert text.index("What this does not show") < text.index("Prompt by prompt")
    assert "Provenance" not in text
    assert "+0.007 +0.345" in text  # the table of scores moves to where the image first stands


def test_a_study_without_images_has_a_report(build):
    text = " ".join(_pages(study_pdf(build.run, StudyAudit(build.study().record, ()), Layout())))
    assert "This study has no audited image." in text


def test_a_damaged_pipeline_text_is_an_error_of_the_store(build):
    with pytest.raises(StoreError, match="pipeline_yaml"):
        study_pdf(replace(build.run, pipeline_yaml="a: ]"), build.study(), Layout())


@pytest.mark.parametrize("module", ["medaudit.report.study_pdf", "medaudit.report.write", "medaudit.figures.overlay"])
def test_a_report_needs_no_model_library(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'monai', 'transformers', 'pydicom'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_bytes_do_not_depend_on_the_process(build, document, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import conftest as c; from hashlib import sha256;"
        "from medaudit.report.layout import Layout; from medaudit.report.study_pdf import study_pdf;"
        "study_pdf(c.RUN, c.study_audit(c.image_audit(findings=0)), Layout());"
        "print(sha256(study_pdf(c.RUN, c.study_audit(), Layout(institution='City Hospital'))).hexdigest())"
    )
    from hashlib import sha256
    from pathlib import Path

    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sha256(document).hexdigest()


def test_the_provenance_lies_in_the_file(build, document):
    ((name, contents),) = pypdf.PdfReader(BytesIO(document)).attachments.items()
    assert name == "provenance.json"
    assert contents == [provenance_json(build.run, build.study()).encode()]
    stated = json.loads(contents[0])
    assert stated["run"]["model"]["files"] == build.run.model.files
    assert stated["pipeline_yaml"] == build.run.pipeline_yaml
    assert stated["images"][0]["methods"][0]["settings"]["beta"] == 0.1


def test_the_block_is_there_to_fill_in_by_hand(pages):
    text = " ".join(pages)
    block = text[text.index("Review To be filled in") : text.index("Provenance Run")]
    for label in ("agree", "disagree", "unsure", "Conclusion", "Name in print", "Date and time", "Signature"):
        assert label in block, label
    assert "The map of this prompt hardly differs" in block


def test_a_signed_review_stands_in_the_place_of_the_lines(build):
    about = Target("I-93A1D04E", Subject.FINDING, 1)
    answer = Answer(about, Decision.DISAGREE, Reason.ELSEWHERE, "lies below the diaphragm")
    first = SignedReview(
        Review("S-4F2A91C7", "reader-1", (answer,), conclusion="Fit for triage."),
        1, "Dr. Ada Byron", Meaning.APPROVAL, "2025-03-02T10:00:00", "ab" * 32,
    )  # fmt: skip
    second = replace(first, edition=2, amendment="typing mistake", review=replace(first.review, conclusion="Unfit."))
    text = " ".join(_pages(study_pdf(build.run, build.study(), Layout(), (second, first))))
    for said in (
        "Name in print Dr. Ada Byron",
        "Meaning of the signature approval",
        "2025-03-02 10:00:00 UTC",
        "Edition 2 Amended because typing mistake",
        "Conclusion Unfit.",
        "disagree the map lies elsewhere \u00b7 lies below the diaphragm",
        "ab" * 32,
    ):
        assert said in text, said
    assert "Fit for triage." not in text
    assert "To be filled in" not in text
