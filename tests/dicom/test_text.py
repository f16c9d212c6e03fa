import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medaudit.dicom.scan import FileRef
from medaudit.dicom.text import read_report, read_sidecar, sentences
from medaudit.errors import InputError


def ref(path) -> FileRef:
    return FileRef(path, path.name)


def test_structured_reports_that_pydicom_ships(shipped):
    report = read_report(ref(shipped / "reportsi.dcm"))
    # The observer's organisation is an item of context, and stays out.
    assert report.sections == (("Report Text", "Enter text"),)
    report = read_report(ref(shipped / "test-SR.dcm"))
    assert report.sections[:2] == (("Text Code", "A mass of"), ("Text Code", "was detected."))
    assert report.text.startswith("A mass of\n\nwas detected.")


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
