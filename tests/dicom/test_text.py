import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medaudit.dicom.report_sentences import Section, report_sentences, section_of, sentences, split_sections
from medaudit.dicom.scan import FileRef
from medaudit.dicom.text import read_report, read_sidecar
from medaudit.errors import InputError


def ref(path) -> FileRef:
    return FileRef(path, path.name)


def test_structured_reports_that_pydicom_ships(shipped):
    report = read_report(ref(shipped / "reportsi.dcm"))
    # The observer's organisation is an item of context, and stays out.
    assert report.sections == (("Report Text", "Enter text"),)
    report = read_report(ref(shipped / "test-SR.dcm"))
    # A container whose content is CONTINUOUS is one sentence, numbers and all; a SEPARATE one is not.
    assert report.sections[:4] == (
        ("Diagnosis", "A mass of 3 cm was detected."),
        ("Diagnosis", "A mass of"),
        ("Diagnosis", "Diameter: 3 cm"),
        ("Diagnosis", "was detected."),
    )
    assert report.text.startswith("A mass of 3 cm was detected.\n\nA mass of")
    assert "Riesmeier" not in report.text


def test_an_image_is_no_report(shipped):
    assert read_report(ref(shipped / "MR_small.dcm")) is None


def item(meaning: str, text: str = "", children=()) -> Dataset:
    ds, concept = Dataset(), Dataset()
    ds.RelationshipType, ds.ValueType = "CONTAINS", "TEXT" if text else "CONTAINER"
    concept.CodeMeaning = meaning
    ds.ConceptNameCodeSequence = Sequence([concept] if meaning else [])
    if text:
        ds.TextValue = text
    if children:
        ds.ContentSequence = Sequence(children)
    return ds


def write_report(shipped, path, content) -> FileRef:
    ds = dcmread(shipped / "reportsi.dcm")
    ds.ContentSequence = Sequence(content)
    ds.save_as(path)
    return ref(path)


def test_heading_falls_back_to_the_container(shipped, tmp_path):
    content = [item("Findings", children=[item("", "Lungs clear."), item("Finding", "Heart normal.")])]
    report = read_report(write_report(shipped, tmp_path / "sr.dcm", content))
    assert report.sections == (("Findings", "Lungs clear."), ("Finding", "Heart normal."))


def test_nesting_is_bounded(shipped, tmp_path):
    deep = item("Finding", "x")
    for _ in range(20):
        deep = item("Findings", children=[deep])
    with pytest.raises(InputError, match="at most 16 levels"):
        read_report(write_report(shipped, tmp_path / "sr.dcm", [deep]))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_sidecar(tmp_path, delimiter):
    path = tmp_path / "reports.csv"
    rows = [["studyinstanceuid", "Report"], ["1.2.3", '"No effusion.\nHeart normal."'], ["1.2.4", ""], []]
    path.write_text("\ufeff" + "\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    assert read_sidecar(path) == {"1.2.3": "No effusion.\nHeart normal."}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "StudyInstanceUID or AccessionNumber and a column report or text"),
        ("patient,report\n1,x\n", "a column StudyInstanceUID or AccessionNumber; got 2 others"),
        ("AccessionNumber,findings\n1,x\n", "a column report or text"),
        ("AccessionNumber,text\n77,a\n77,b\n", "row 3: expected one row for each study"),
        ('AccessionNumber,text\n1,"a"b\n', "expected a readable table"),
    ],
)
def test_sidecar_errors_name_the_column_and_no_value(tmp_path, content, message):
    path = tmp_path / "reports.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_sidecar(path)
    assert "77" not in str(caught.value)


def test_sidecar_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.csv").write_bytes("AccessionNumber,text\n1,Ödem".encode("latin-1"))
    for name in ("latin.csv", "absent.csv"):
        with pytest.raises(InputError, match="sidecar CSV"):
            read_sidecar(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Heart size normal. Lungs clear.", ("Heart size normal.", "Lungs clear.")),
        ("A 1.5 cm nodule, approx. 3 mm deep. Stable.", ("A 1.5 cm nodule, approx. 3 mm deep.", "Stable.")),
        ("Seen by Dr. J. Smith. Agreed.", ("Seen by Dr. J. Smith.", "Agreed.")),
        ("Compare No. 3. Effusion? No. Fine.", ("Compare No. 3.", "Effusion?", "No.", "Fine.")),
        ("- No effusion\n- No pneumothorax\n", ("No effusion", "No pneumothorax")),
        ("1. Cardiomegaly\n2) Edema", ("Cardiomegaly", "Edema")),
        ("FINDINGS: Clear lungs.\nIMPRESSION:\nNormal", ("Clear lungs.", "Normal")),
        ("No effusion\nNo pneumothorax", ("No effusion", "No pneumothorax")),
        ("Stable\nappearance of the heart.", ("Stable appearance of the heart.",)),
        (
            "The lungs are clear without focal consolidation as compared with\nCT of last year.",
            ("The lungs are clear without focal consolidation as compared with CT of last year.",),
        ),
        ("***\n\n  \n1.5\n", ()),
        ("", ()),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


def coded(meaning: str, value: str, relation: str = "CONTAINS", children=()) -> Dataset:
    ds, code = item(meaning, children=children), Dataset()
    ds.RelationshipType, ds.ValueType, code.CodeMeaning = relation, "CODE", value
    ds.ConceptCodeSequence = Sequence([code])
    return ds


def measured(meaning: str, value: str, unit: str, unit_meaning: str = "", relation: str = "HAS PROPERTIES") -> Dataset:
    ds, number, code = item(meaning), Dataset(), Dataset()
    ds.RelationshipType, ds.ValueType = relation, "NUM"
    code.CodeValue, code.CodeMeaning, code.CodingSchemeDesignator = unit, unit_meaning, "UCUM"
    number.NumericValue, number.MeasurementUnitsCodeSequence = value, Sequence([code])
    ds.MeasuredValueSequence = Sequence([number])
    return ds


def test_a_basic_diagnostic_imaging_report_is_read_in_reading_order(shipped, tmp_path):
    # TID 2000 (PS3.16): headings, findings as text and as codes, measurements as their properties.
    observer = item("Observer", "Dr. Canary")
    observer.RelationshipType = "HAS OBS CONTEXT"
    side = coded("Laterality", "Right", "HAS PROPERTIES")
    content = [
        observer,
        item("History", children=[item("History", "Cough.")]),
        item(
            "Findings",
            children=[
                item("Finding", "The heart is normal."),
                coded("Finding", "Nodule", children=[side, measured("Diameter", "12", "mm")]),
                coded("Severity", "Mild"),
                measured("Cardiothoracic ratio", "0.45", "{ratio}", "ratio", "CONTAINS"),
                measured("Count", "2", "1", "no units", "CONTAINS"),
            ],
        ),
        item("Impressions", children=[item("Impression", "No effusion.\nPossible nodule.")]),
    ]
    report = read_report(write_report(shipped, tmp_path / "sr.dcm", content))
    assert report.sections == (
        ("History", "Cough."),
        ("Finding", "The heart is normal."),
        ("Finding", "Nodule, Laterality: Right, Diameter: 12 mm"),
        ("Findings", "Severity: Mild"),
        ("Findings", "Cardiothoracic ratio: 0.45 ratio"),
        ("Findings", "Count: 2"),
        ("Impression", "No effusion.\nPossible nodule."),
    )
    assert [section_of(heading) for heading, _ in report.sections] == [
        Section.INDICATION,
        *[Section.FINDINGS] * 5,
        Section.IMPRESSION,
    ]


def test_the_number_of_items_is_bounded(shipped, tmp_path, monkeypatch):
    monkeypatch.setattr("medaudit.dicom.structured_report._ITEM_LIMIT", 50)
    content = [item("Finding", "x") for _ in range(60)]
    with pytest.raises(InputError, match="at most 50 items"):
        read_report(write_report(shipped, tmp_path / "sr.dcm", content))


REPORT = """\
FINAL REPORT
EXAMINATION:  CHEST (PA AND LAT)

INDICATION:  65-year-old with cough.  // eval for PNA

COMPARISON:  Chest radiograph of last year.

FINDINGS:

The lungs are clear.  There is no pleural effusion or pneumothorax.  A 1.5 cm
nodule in the R. upper lobe is unchanged.
LUNGS: No consolidation.

IMPRESSION:
1.  No acute cardiopulmonary process.
2.  Opacity at the left base may represent atelectasis vs. pneumonia.
RECOMMENDATION(S): CT in 3 months.
"""


def test_a_report_is_split_into_sections_and_sentences():
    assert [(one.section.value, one.assertion.value, one.text) for one in report_sentences(REPORT)] == [
        ("technique", "affirmed", "CHEST (PA AND LAT)"),
        ("indication", "affirmed", "65-year-old with cough."),
        ("indication", "uncertain", "// eval for PNA"),
        ("comparison", "affirmed", "Chest radiograph of last year."),
        ("findings", "affirmed", "The lungs are clear."),
        ("findings", "negated", "There is no pleural effusion or pneumothorax."),
        ("findings", "affirmed", "A 1.5 cm nodule in the R. upper lobe is unchanged."),
        ("findings", "negated", "No consolidation."),
        ("impression", "negated", "No acute cardiopulmonary process."),
        ("impression", "uncertain", "Opacity at the left base may represent atelectasis vs. pneumonia."),
        ("recommendation", "affirmed", "CT in 3 months."),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Findings: a\nImpression: b", [("findings", "a"), ("impression", "b")]),
        ("FINDINGS AND IMPRESSION: a", [("findings", "a")]),
        ("Clinical history - cough\nOpinion: clear", [("indication", "cough"), ("impression", "clear")]),
        ("**Conclusion**\nclear", [("impression", "clear")]),
        ("Reason for this examination:\nfall", [("indication", "fall")]),
        ("Procedure: CT\nPrior studies: none", [("technique", "CT"), ("comparison", "none")]),
        ("Heart normal. IMPRESSION: clear", [("other", "Heart normal."), ("impression", "clear")]),
        ("Impression of the heart is normal", [("other", "Impression of the heart is normal")]),
        ("findings\n\nimpression\n", []),
        ("", []),
    ],
)
def test_headings(text, expected):
    assert [(section.value, body) for section, body in split_sections(text)] == expected
