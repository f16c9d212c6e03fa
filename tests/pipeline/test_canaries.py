"""A file with a canary in every attribute that the standard knows: none may sing in what an audit writes.

The Basic Application Level Confidentiality Profile (PS3.15 Table E.1-1) lists some 600 attributes. Every attribute of
the data dictionary (PS3.6) that holds text, a date, a number string or a UID is filled here, which is a superset.
"""

import io
import logging
import re

import numpy as np
import pydicom
import pypdf
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medaudit.dicom.privacy import ALLOWED, IDENTIFIERS, allowed_elements
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.run import AuditRequest, run_audit
from medaudit.store.audit_store import AuditStore

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

WORDS = (
    "canary",
    "kanarienvogel",
    "\u91d1\u7cf8\u96c0",
    "\u304b\u306a\u308a\u3042",
    "\u039a\u03b1\u03bd\u03ac\u03c1\u03b9",
)
NUMBERS = ("7353711", "19370613", "1937-06-13", "133737", "999777333")
CANARY = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "PN"), "Canary Kanarienvogel"),
    "CS": "CANARY",
    "AE": "CANARY",
    "UR": "https://canary.example/7353711",
    "DA": "19370613",
    "TM": "133737",
    "DT": "19370613133737",
    "UI": "1.2.999777333.1",
    "IS": "7353711",
    "DS": "7353711",
    "AS": "101Y",
}
# What makes the file a picture that can be read, and what may leave as it is.
STRUCTURE = re.compile(
    r"SpecificCharacterSet|SOPClassUID|.*LUT.*|.*FunctionalGroups.*|Rescale.*|Window.*|PixelPadding.*|.*PixelSpacing|"
    r"NumberOfFrames|ImageOrientation.*|ImagePosition.*|PhotometricInterpretation|PixelData.*|.*Overlay.*|Planar.*|"
    r"PixelRepresentation|.*TransferSyntax.*|StudyDate|PatientAge|PresentationIntentType|.*FloatPixelData.*|"
    r"NominalScannedPixelSpacing|Extended.*|SliceLocation|.*SequenceItem.*|ItemDelimit.*"
)
NAME = "Canary^Kanarienvogel=\u91d1\u7cf8\u96c0^\u82b1\u5b50=\u304b\u306a\u308a\u3042^\u306f\u306a\u3053"


def fill(ds: Dataset) -> int:
    """A canary in every attribute; how many."""
    count = 0
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if not keyword or keyword in ALLOWED or STRUCTURE.fullmatch(keyword) or tag >> 16 <= 4:
            continue
        if vr == "SQ":
            item, inner = Dataset(), Dataset()
            item.PatientName, item.PersonName, item.TextValue = NAME, NAME, "Canary Kanarienvogel"
            inner.PatientID, inner.AccessionNumber = "7353711", "CANARY"
            item.ReferencedPatientSequence = Sequence([inner])
            ds.add_new(tag, vr, Sequence([item]))
        elif vr in CANARY:
            ds.add_new(tag, vr, CANARY[vr])
        else:
            continue
        count += 1
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.OtherPatientNames = NAME, "\u039a\u03b1\u03bd\u03ac\u03c1\u03b9^\u0391"
    for group in (0x0009, 0x0011, 0x4321):
        block = ds.private_block(group, "CANARY PRIVATE", create=True)
        block.add_new(1, "PN", NAME)
        block.add_new(2, "LO", "Canary 7353711")
    return count


@pytest.fixture(scope="module")
def header() -> Dataset:
    ds = Dataset()
    assert fill(ds) > 2500
    return ds


def test_no_canary_leaves_the_header(header):
    header.Modality, header.PatientAge, header.StudyDate = "DX", "095Y", "20200304"
    kept = allowed_elements(header)
    assert set(kept) <= {*ALLOWED, "AgeBand", "StudyYear"}
    assert kept == {"Modality": "DX", "AgeBand": "90+", "StudyYear": "2020"}
    sexes = allowed_elements(header, keep_identifiers=True)
    assert set(sexes) - set(kept) == set(IDENTIFIERS)


def heard(folder, *texts: str) -> set[str]:
    """The canaries in every file of a folder, its name, its text where it is a PDF, and in other texts."""
    everything = [text.casefold().encode() for text in texts]
    for path in folder.rglob("*"):
        everything.append(str(path.relative_to(folder)).casefold().encode())
        if path.suffix == ".pdf":
            reader = pypdf.PdfReader(path)
            pages = [page.extract_text() for page in reader.pages]
            outline = str([str(item) for item in reader.outline])
            everything.append(f"{pages} {reader.metadata} {outline}".casefold().encode())
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                everything += [name.encode() for name in arrays]
        elif path.is_file():
            everything.append(path.read_bytes().lower())
    found = set()
    for word in (*WORDS, *NUMBERS):
        spellings = (word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be"), word.encode("unicode_escape"))
        if any(spelling in text for spelling in spellings for text in everything):
            found.add(word)
    return found


class Quiet:
    def phase(self, text):
        pass

    def scanned(self, files):
        pass

    def planned(self, studies, finished):
        pass

    def estimated(self, text):
        pass

    def study_done(self, store, code, *, audited):
        pass


@pytest.fixture
def request_for(tmp_path, write_radiograph, pipeline_file, random_clip):
    """Two files with canaries, the second broken; the request to audit them, and the UIDs of the first."""

    def build(*, keep):
        for name, seed in (("b.dcm", 2), ("a.dcm", 1)):
            path = write_radiograph(tmp_path / "in" / name, seed)
            ds = pydicom.dcmread(path)
            own = [ds[tag] for tag in (0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00080020)]
            fill(ds)
            for element in own:
                ds[element.tag] = element
            ds.save_as(path)
        broken = tmp_path / "in" / "b.dcm"
        broken.write_bytes(broken.read_bytes()[:-4000])
        request = AuditRequest(
            source=tmp_path / "in",
            folder=tmp_path / "audit",
            pipeline=load_pipeline(str(pipeline_file)),
            model_folder=random_clip,
            keep_identifiers=keep,
        )
        return request, [str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)]

    return build


@pytest.mark.parametrize("keep", [False, True], ids=["pseudonyms", "identifiers kept"])
def test_no_canary_is_in_what_an_audit_writes(request_for, caplog, capfd, keep):
    from medaudit.report.write import write_reports

    request, uids = request_for(keep=keep)
    caplog.clear()  # of what pydicom says of writing canaries
    caplog.set_level(logging.DEBUG)
    summary = run_audit(request, Quiet())
    assert (len(summary.audited), len(summary.failures)) == (1, 1)
    with AuditStore.open(request.folder) as store:
        assert not write_reports(store).failed
        store.digest()
    printed = capfd.readouterr()
    sung = heard(request.folder, caplog.text, printed.out, printed.err, repr(summary))
    if keep:
        assert "canary" in sung  # PatientName and PatientID, which the site asked for
        assert not sung & set(NUMBERS)
        return
    assert sung == set()
    assert not any(uid.encode() in path.read_bytes() for uid in uids for path in request.folder.rglob("*.*"))


def test_the_search_hears_what_is_there(tmp_path):
    (tmp_path / "a.txt").write_text("x Canary x", encoding="utf-8")
    (tmp_path / "b.bin").write_bytes("\u91d1\u7cf8\u96c0".encode("utf-16-le"))
    buffer = io.BytesIO()
    writer = pypdf.PdfWriter()
    writer.add_blank_page(72, 72)
    writer.add_metadata({"/Title": "7353711"})
    writer.write(buffer)
    (tmp_path / "c.pdf").write_bytes(buffer.getvalue())
    assert heard(tmp_path) == {"canary", "\u91d1\u7cf8\u96c0", "7353711"}
