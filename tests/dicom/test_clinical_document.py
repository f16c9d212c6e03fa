"""Encapsulated CDA: what a person wrote comes out, in order; header, codes and deletions do not."""

import pytest
from pydicom import dcmread

from medaudit.dicom.clinical_document import narrative_lines
from medaudit.dicom.scan import FileRef, is_picture, is_report, scan
from medaudit.dicom.text import read_report
from medaudit.errors import InputError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
OPEN = f"""{HEAD}
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <title>Report of Jane Canary</title>
  <recordTarget><patientRole><patient><name>Jane Canary</name></patient></patientRole></recordTarget>
"""
REPORT = (
    OPEN
    + """
  <component><structuredBody>
    <component><section>
      <code code="18782-3" displayName="Study observation"/>
      <title>Findings</title>
      <text>
        <paragraph>Small <content styleCode="Bold">left</content>
           pleural effusion.</paragraph>
        <list><item>No pneumothorax.</item><item>Heart <content revised="delete">Canary</content>enlarged.</item></list>
        <table><tbody><tr><td>Nodule</td><td>12 mm</td></tr><tr><td>Cyst</td><td>&lt; 5 mm</td></tr></tbody></table>
      </text>
      <entry><observation><text>coded Canary</text><code displayName="Canary"/></observation></entry>
      <component><section><title>Lungs</title><text>Clear.<br/>Well aerated.</text></section></component>
      <component><section><title>Impression</title><text>Effusion.</text></section></component>
    </section></component>
    <component><section><code displayName="Comparison"/><text><![CDATA[None.]]></text></section></component>
    <component><section><title>Empty</title><text/></section></component>
  </structuredBody></component>
</ClinicalDocument>"""
)


def body(text: str) -> bytes:
    return f"{OPEN}<component>{text}</component></ClinicalDocument>".encode()


def test_sections_come_in_order_with_the_heading_that_names_a_part_of_a_report():
    found = narrative_lines(REPORT.encode())
    assert found == (
        (
            "Findings",
            "Small left pleural effusion.\nNo pneumothorax.\nHeart enlarged.\nNodule 12 mm\nCyst < 5 mm",
        ),
        ("Findings", "Clear.\nWell aerated."),
        ("Impression", "Effusion."),
        ("Comparison", "None."),
    )
    assert "Canary" not in repr(found)


def test_a_body_of_plain_text_keeps_its_lines():
    document = body("<nonXMLBody><text>FINDINGS: Clear.\nIMPRESSION: Normal.</text></nonXMLBody>")
    assert narrative_lines(document) == (("", "FINDINGS: Clear.\nIMPRESSION: Normal."),)


def test_other_encodings_are_read():
    document = REPORT.replace("UTF-8", "ISO-8859-1").replace("Clear.", "Größe normal.").encode("latin-1")
    assert ("Findings", "Größe normal.\nWell aerated.") in narrative_lines(document)


BOMB = (
    '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>'
    "<ClinicalDocument><section><text>&c;</text></section></ClinicalDocument>"
)
OUTSIDE = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><section><text>&x;</text></section>'


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (BOMB.encode(), "no document type declaration"),
        (OUTSIDE.encode(), "no document type declaration"),
        (b'<!DOCTYPE d SYSTEM "http://example.org/d.dtd"><section/>', "no document type declaration"),
        (REPORT.encode()[:900], "well-formed XML; got ExpatError"),
        (b"", "well-formed XML; got ExpatError"),
        (b"%PDF-1.7", "well-formed XML; got ExpatError"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "well-formed XML; got "),
        (b"<section><text>&unknown;</text></section>", "well-formed XML; got ExpatError"),
        (b"<a>" * 65 + b"</a>" * 65, "at most 64 levels"),
        (b"<section><text>" + b"x" * 1_000_001 + b"</text></section>", "at most 1000000 characters"),
        (b" " * (2**24 + 1), "at most 16777216 bytes"),
        (
            body('<nonXMLBody><text mediaType="application/pdf" representation="B64">JVBE</text></nonXMLBody>'),
            "text/plain",
        ),
    ],
)
def test_what_is_no_plain_report_is_refused_with_a_way_out(document, words):
    with pytest.raises(InputError, match=words) as caught:
        narrative_lines(document)
    assert "--report-text" in str(caught.value)


def write_cda(make, document: bytes | None):
    path = make("cda.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.104.2", Modality="DOC")
    ds = dcmread(path)
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"):
        delattr(ds, keyword)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    if document is not None:
        ds.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    ds.save_as(path)
    return path


def test_an_encapsulated_document_is_a_report_of_its_study(make):
    path = write_cda(make, REPORT.encode())
    (study,) = scan(path).studies
    (instance,) = study.instances
    assert is_report(instance)
    assert not is_picture(instance)
    report = read_report(instance.ref)
    assert report.source == "CDA document"
    assert report.sections[2] == ("Impression", "Effusion.")


def test_an_object_without_its_document_is_refused(make):
    path = write_cda(make, None)
    with pytest.raises(InputError, match=r"\(0042,0011\): expected a CDA document; got none"):
        read_report(FileRef(path, path.name))
