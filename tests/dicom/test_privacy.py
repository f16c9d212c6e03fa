import csv
import os
import re
import stat
from pathlib import Path

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medaudit.dicom.privacy import ALLOWED, IDENTIFIERS, Pseudonyms, allowed_elements
from medaudit.errors import UsageError

# Real headers break the rules of their value representations, and so do these.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def person() -> Dataset:
    """A header with a name, a number and a birth date in every odd place."""
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Mustermann^Erika", "PID-4711999", "19520317"
    ds.OtherPatientIDs, ds.AccessionNumber = "9988776", "ACC55512"
    ds.StudyDate, ds.StudyTime, ds.StudyInstanceUID = "20240105", "120000", "1.2.3.4711"
    ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2.3.4711.1", "1.2.3.4711.1.1"
    ds.ReferringPhysicianName, ds.OperatorsName = "Schmidt^Hans", "Huber^Eva"
    ds.InstitutionName, ds.StationName, ds.DeviceSerialNumber = "St. Elsewhere", "ROOM-ERIKA", "SN-1"
    ds.SeriesDescription, ds.StudyDescription, ds.PatientComments = "Erika chest", "for Mustermann", "born 1952-03-17"
    ds.ImageComments, ds.ProtocolName = "PID-4711999", "THORAX Mustermann"
    ds.PatientSex, ds.Modality, ds.PatientAge = "F", "CR", "071Y"
    ds.BodyPartExamined, ds.ViewPosition = "CHEST", "PA ERIKA"
    ds.Manufacturer, ds.ManufacturerModelName = "ACME Medical", "for Mustermann, Erika"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "MUSTERMANN"]
    ds.KVP, ds.SliceThickness = "120", "4711999"
    ds.BurnedInAnnotation, ds.Laterality = "YES", "DOE^X"
    ds.add_new(0x00111010, "LO", "Mustermann private")
    item = Dataset()
    item.PatientName, item.Manufacturer = "Mustermann^Erika", "Erika"
    ds.RequestAttributesSequence = Sequence([item])
    return ds


def test_nothing_identifying_comes_out():
    kept = allowed_elements(person())
    text = " ".join(kept.values()).casefold()
    for secret in (
        "muster",
        "erika",
        "4711",
        "9988776",
        "acc5",
        "1952",
        "0317",
        "20240105",
        "schmidt",
        "huber",
        "elsewhere",
        "room",
        "doe",
    ):
        assert secret not in text
    assert kept == {
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "PatientSex": "F",
        "Manufacturer": "ACME Medical",
        "KVP": "120",
        "BurnedInAnnotation": "YES",
        "AgeBand": "70-79",
        "StudyYear": "2024",
    }


def test_identifiers_come_out_only_on_request():
    kept = allowed_elements(person(), keep_identifiers=True)
    assert kept["PatientName"] == "Mustermann^Erika"
    assert {keyword for keyword in IDENTIFIERS if keyword in kept} == set(IDENTIFIERS)
    assert not set(IDENTIFIERS) & set(ALLOWED)


@pytest.mark.parametrize(
    ("elements", "band"),
    [
        ({"PatientAge": "067Y"}, "60-69"),
        ({"PatientAge": "090Y"}, "90+"),
        ({"PatientAge": "102Y"}, "90+"),
        ({"PatientAge": "011M"}, "0-9"),
        ({"PatientAge": "003D"}, "0-9"),
        ({"PatientBirthDate": "19520317", "StudyDate": "20220316"}, "60-69"),
        ({"PatientBirthDate": "19520317", "StudyDate": "20220317"}, "70-79"),
        ({"PatientBirthDate": "20300101", "StudyDate": "20200101"}, None),
        ({"PatientAge": "old", "StudyDate": "2020"}, None),
    ],
)
def test_age_bands(elements, band):
    ds = Dataset()
    for keyword, value in elements.items():
        ds.add_new(keyword, "LO", value)
    assert allowed_elements(ds).get("AgeBand") == band


ROOT = Path(__file__).parents[2]
COARSENED = {"PatientAge": "AgeBand", "PatientBirthDate": "AgeBand", "StudyDate": "StudyYear"}


@pytest.fixture(scope="module")
def profile() -> dict[int, str]:
    """The basic profile: tag -> what it does (X remove, Z empty, D replace, U another UID)."""
    with (ROOT / "tests" / "data" / "ps3.15-e.1-1.csv").open(encoding="utf-8", newline="") as file:
        table = {int(row["tag"], 16): row["basic profile"] for row in csv.DictReader(file)}
    # As PS3.15 has them: the table is whole, and is the one that it is taken for.
    assert len(table) > 600
    known = {"PatientName": "Z", "InstitutionName": "X/Z/D", "PatientAge": "X", "StudyInstanceUID": "U"}
    assert {keyword: table[tag_for_keyword(keyword)] for keyword in known} == known
    return table


def test_nothing_that_the_basic_profile_touches_is_kept_but_what_the_docs_except(profile):
    touched = {keyword for keyword in ALLOWED if tag_for_keyword(keyword) in profile}
    section = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8").split("## Kept against the profile")[1]
    excepted = dict(re.findall(r"^\| `(\w+)` \((?:\w|/)+\) \| (.+) \|$", section.split("\n## ")[0], flags=re.MULTILINE))
    assert touched == {"PatientSex"}
    assert set(excepted) == touched | set(COARSENED)
    assert all(len(reason.split()) >= 8 for reason in excepted.values())


def test_what_is_coarsened_or_kept_on_request_is_what_the_profile_removes(profile):
    assert all(tag_for_keyword(keyword) in profile for keyword in (*COARSENED, *IDENTIFIERS))


def test_a_header_of_everything_that_the_profile_touches_leaves_no_more_than_the_exceptions(profile):
    ds = Dataset()
    for tag in profile:
        ds.add_new(tag, "LO", "F")
    ds.add_new("PatientAge", "AS", "071Y")
    ds.add_new("StudyDate", "DA", "20240105")
    assert allowed_elements(ds) == {"PatientSex": "F", "AgeBand": "70-79", "StudyYear": "2024"}


def test_values_are_single_lines_of_bounded_length():
    ds = Dataset()
    ds.Manufacturer = "ACME\r\nMedical\x1b[31m" + "x" * 200
    value = allowed_elements(ds)["Manufacturer"]
    assert value.startswith("ACME Medical [31mxxx")
    assert len(value) == 64
    assert value.isprintable()


def test_pseudonyms_are_stable_and_keyed():
    names = Pseudonyms(bytes(32))
    # printf 'study\0001.2.3' | openssl dgst -sha256 -mac HMAC -macopt hexkey:(64 zeros)
    assert names.code("study", "1.2.3") == "ST-6AB3EDADFECB"
    codes = {names.code(kind, "1.2.3")[3:] for kind in ("study", "series", "image", "file")}
    assert len(codes) == 4
    assert Pseudonyms(b"k" * 32).code("study", "1.2.3") != names.code("study", "1.2.3")
    assert "key" not in repr(Pseudonyms(b"k" * 32))


def test_pseudonym_key_file(tmp_path):
    path = tmp_path / "key"
    first, second = Pseudonyms.at(path), Pseudonyms.at(path)
    assert first == second
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    with pytest.raises(UsageError, match="expected a pseudonym key of 32 bytes; got 5"):
        Pseudonyms.at(path)


def test_pseudonyms_are_validated():
    with pytest.raises(ValueError, match="expected 32 bytes"):
        Pseudonyms(b"")
    with pytest.raises(ValueError, match="kind: expected one of study"):
        Pseudonyms(bytes(32)).code("patient", "1")
