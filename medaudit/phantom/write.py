"""A radiograph as a DICOM file, Digital X-Ray or Computed Radiography; and what every phantom file shares."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from medaudit.phantom.anatomy import Anatomy, View
from medaudit.phantom.marks import MarkKind
from medaudit.phantom.people import Person, invent_person
from medaudit.phantom.report_text import Report
from medaudit.phantom.study import Phantom, StudySpec
from medaudit.phantom.vendors import Vendor

IMAGE_FILE: Final = "image.dcm"
REPORT_FILE: Final = "report.dcm"
_INSTITUTION: Final = "Phantom General"
_VIEW_CODES: Final = {
    View.PA: ("272479007", "SCT", "postero-anterior"),
    View.AP: ("399348003", "SCT", "antero-posterior"),
}
_NATIVE: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


@dataclass(frozen=True, slots=True)
class StudyIdentity:
    """Who a study is said to be of, and its UIDs; all of it follows from the cohort's seed and the index."""

    person: Person
    study_uid: str
    image_series_uid: str
    report_series_uid: str
    image_uid: str
    report_uid: str
    seed: int


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a file says of the machine and of the study's kind."""

    manufacturer: str
    model: str
    station: str
    study: str


class OfPatient(Protocol):
    """A specification of any kind: it has a patient, and a seed of its own."""

    @property
    def anatomy(self) -> Anatomy:
        """The patient."""

    @property
    def noise_seed(self) -> int:
        """The seed."""


def identify(spec: OfPatient, seed: int, index: int, *, cohort: str = "medaudit phantom") -> StudyIdentity:
    """The identity of study ``index`` of cohort ``seed``; cohorts of another name have other UIDs."""

    def uid(what: str) -> str:
        return str(generate_uid(entropy_srcs=[cohort, what, str(seed), str(index)]))

    own = spec.noise_seed
    return StudyIdentity(
        invent_person(spec.anatomy, own),
        uid("study"),
        uid("image series"),
        uid("report series"),
        uid("image"),
        uid("report"),
        own,
    )


def write_image(path: Path, spec: StudySpec, phantom: Phantom, identity: StudyIdentity) -> None:
    """Write the picture: PS3.3 A.26 (Digital X-Ray, For Presentation) or A.2 (Computed Radiography), by vendor."""
    ds = begin_dataset(spec.anatomy, radiograph_equipment(spec.vendor), identity)
    digital = spec.vendor.modality == "DX"
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation if digital else ComputedRadiographyImageStorage
    ds.SOPInstanceUID = identity.image_uid
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = identity.image_series_uid, 1, 1
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = spec.vendor.modality, "CHEST", spec.anatomy.view.value
    ds.SeriesDescription = f"Chest {spec.anatomy.view.value}"
    ds.AcquisitionDate, ds.AcquisitionTime = ds.StudyDate, ds.StudyTime
    ds.ContentDate, ds.ContentTime = ds.StudyDate, ds.StudyTime
    ds.KVP = "120" if spec.exposure.high_kv else "90"
    ds.ImagerPixelSpacing = [f"{phantom.pixel_mm:.6g}"] * 2
    # The picture's right is the patient's left, in both views: it is shown as if facing the reader.
    ds.PatientOrientation = ["L", "F"]
    ds.BurnedInAnnotation = "YES" if any(mark.kind is MarkKind.TEXT for mark in spec.marks) else "NO"
    _pixels(ds, spec, phantom)
    if digital:
        _digital_x_ray(ds, spec)
    save_dataset(ds, path, spec.vendor.transfer_syntaxes[identity.seed % len(spec.vendor.transfer_syntaxes)])


def radiograph_equipment(vendor: Vendor) -> Equipment:
    """What the files of a radiograph say of its detector."""
    return Equipment(vendor.manufacturer, vendor.model, f"XR-{vendor.key.upper()}", "Chest radiograph")


def begin_dataset(anatomy: Anatomy, equipment: Equipment, identity: StudyIdentity) -> Dataset:
    """Patient, study and equipment, which all files of a study share."""
    person, ds = identity.person, Dataset()
    if person.character_set:
        ds.SpecificCharacterSet = (
            list(person.character_set) if len(person.character_set) > 1 else person.character_set[0]
        )
    ds.PatientName, ds.PatientID = person.name, person.patient_id
    ds.PatientBirthDate, ds.PatientSex = person.birth_date, anatomy.sex.value
    ds.PatientAge = f"{anatomy.age:03d}Y"
    ds.StudyInstanceUID, ds.StudyID, ds.AccessionNumber = identity.study_uid, "1", person.accession
    ds.StudyDate, ds.StudyTime, ds.ReferringPhysicianName = person.study_date, person.study_time, ""
    ds.StudyDescription = equipment.study
    ds.Manufacturer, ds.ManufacturerModelName = equipment.manufacturer, equipment.model
    ds.InstitutionName, ds.StationName = _INSTITUTION, equipment.station
    ds.DeviceSerialNumber, ds.SoftwareVersions = f"{identity.seed % 7:04d}", "1.0"
    return ds


def _pixels(ds: Dataset, spec: StudySpec, phantom: Phantom) -> None:
    """Image pixel, VOI LUT and modality LUT modules (PS3.3 C.7.6.3, C.11.2, C.11.1)."""
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.PhotometricInterpretation = spec.vendor.photometric
    ds.Rows, ds.Columns = phantom.pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    center, width = spec.vendor.stored_window
    ds.WindowCenter, ds.WindowWidth = f"{center:.6g}", f"{width:.6g}"
    ds.WindowCenterWidthExplanation = "CHEST"
    ds.LossyImageCompression = "00"
    ds.PixelData = phantom.pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _digital_x_ray(ds: Dataset, spec: StudySpec) -> None:
    """DX series, anatomy, image, detector and acquisition context (PS3.3 C.8.11.1 to C.8.11.4, C.7.6.14)."""
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageLaterality = "U"
    ds.AnatomicRegionSequence = Sequence([_code("51185008", "SCT", "Chest")])
    ds.PixelIntensityRelationship = "LOG"
    # 1: low values are little exposure; -1: low values are much (PS3.3 C.8.11.3.1.2).
    ds.PixelIntensityRelationshipSign = 1 if spec.vendor.inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if spec.vendor.inverted else "IDENTITY"
    ds.DetectorType = "SCINTILLATOR"
    ds.DetectorConfiguration = "AREA"
    ds.AcquisitionContextSequence = Sequence([])
    view = _code(*_VIEW_CODES[spec.anatomy.view])
    view.ViewModifierCodeSequence = Sequence([])
    ds.ViewCodeSequence = Sequence([view])
    ds.PositionerType = "NONE"


def write_report_document(
    path: Path, anatomy: Anatomy, equipment: Equipment, report: Report, identity: StudyIdentity
) -> None:
    """Write the report as a Basic Text SR (PS3.3 A.35.1), unverified, of the picture's study."""
    ds = begin_dataset(anatomy, equipment, identity)
    ds.SOPClassUID, ds.SOPInstanceUID = BasicTextSRStorage, identity.report_uid
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = identity.report_series_uid, 2, 1
    ds.Modality = "SR"
    ds.ReferencedPerformedProcedureStepSequence = Sequence([])
    ds.ContentDate, ds.ContentTime = ds.StudyDate, ds.StudyTime
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.PerformedProcedureCodeSequence = Sequence([])
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([_code("18748-4", "LN", "Diagnostic imaging report")])
    ds.ContentSequence = Sequence(
        [
            _section(("121070", "Findings"), ("121071", "Finding"), report.findings),
            _section(("121072", "Impressions"), ("121073", "Impression"), report.impression),
        ]
    )
    save_dataset(ds, path, ExplicitVRLittleEndian)


def _section(heading: tuple[str, str], item: tuple[str, str], body: str) -> Dataset:
    text = Dataset()
    text.RelationshipType, text.ValueType = "CONTAINS", "TEXT"
    text.ConceptNameCodeSequence = Sequence([_code(item[0], "DCM", item[1])])
    text.TextValue = body
    section = Dataset()
    section.RelationshipType, section.ValueType, section.ContinuityOfContent = "CONTAINS", "CONTAINER", "SEPARATE"
    section.ConceptNameCodeSequence = Sequence([_code(heading[0], "DCM", heading[1])])
    section.ContentSequence = Sequence([text])
    return section


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def save_dataset(ds: Dataset, path: Path, transfer_syntax: str) -> None:
    """Write a file with meta information; the same data set gives the same bytes."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = UID(transfer_syntax if transfer_syntax in _NATIVE else ExplicitVRLittleEndian)
    if transfer_syntax not in _NATIVE:
        ds.compress(transfer_syntax, generate_instance_uid=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
