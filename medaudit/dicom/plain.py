"""Plain images (PNG, JPEG, TIFF) with a CSV manifest, as the same values that DICOM files become.

Public data sets come so. A plain image has no DICOM provenance: its values were windowed, inverted or rescaled by
somebody before, nobody says how, and what is known of the patient is what the manifest says. Every record says so.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from pydicom.dataset import Dataset

from medaudit.dicom.dataset import hushed
from medaudit.dicom.grayscale import DisplayImage, VoiPolicy, display
from medaudit.dicom.manifest import MANIFEST_NAME, Manifest, PlainRow
from medaudit.dicom.privacy import allowed_elements
from medaudit.dicom.read import DicomImage
from medaudit.dicom.scan import SELECTION_KEYWORDS, FileRef, Instance, Inventory, ScannedFile, Series, Study
from medaudit.dicom.sop_classes import PLAIN_IMAGE
from medaudit.errors import DecodeError, InputError
from medaudit.records.provenance import FileFate

NO_PROVENANCE: Final = (
    "plain image without DICOM provenance: how its values came about is not known; what is said of patient and "
    "acquisition is the manifest's word"
)
"""The note on every record of a plain image."""

PIXEL_LIMIT: Final = 2**26
"""Pixels of the largest plain image that is decoded: 8,192 x 8,192, more than any radiograph has."""

_FORMATS: Final = ("PNG", "JPEG", "TIFF")
_SUFFIXES: Final = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
_TIFF_BITS, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_PNG_DEPTH_AT: Final = 24  # signature 8, length 4, "IHDR" 4, width 4, height 4
_GREY: Final = ("1", "L", "I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_WITH_ALPHA: Final = ("LA", "La", "RGBA", "RGBa", "PA")
_COLOUR: Final = ("RGB", "RGBX", "P", "CMYK", "YCbCr")
# What Pillow raises on files that are broken, or that promise too much.
_PILLOW_ERRORS: Final = (
    Image.DecompressionBombError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,  # with UnidentifiedImageError
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class PlainRef(FileRef):
    """Where a plain image lies, and what the manifest says of it."""

    row: PlainRow = field(default=PlainRow(0, ""))


def with_plain_images(inventory: Inventory, manifest: Manifest | None) -> Inventory:
    """The inventory of a scan, with the pictures that a manifest names as studies of their own.

    Every file stays accounted for: a picture that no row names is told how to be named, and a row that is wrong or
    names no picture fails with its reason. The pictures of one study are one series.
    """
    rows = dict(manifest.rows) if manifest else {}
    bad = {one.path: one.reason for one in manifest.bad} if manifest else {}
    instances: list[Instance] = []
    others: list[ScannedFile] = []
    for other in inventory.others:
        row = rows.pop(other.ref.label, None) if other.fate is FileFate.NOT_DICOM else None
        if row is None:
            others.append(_unnamed(other, manifest, bad) if other.fate is FileFate.NOT_DICOM else other)
            continue
        found = _examine(PlainRef(other.ref.path, other.ref.label, other.ref.member, other.ref.inner, row))
        if isinstance(found, Instance):
            instances.append(found)
        else:
            others.append(found)
    if manifest:
        others += _unanswered(rows, manifest, inventory)
    return replace(
        inventory,
        studies=(*inventory.studies, *_studies(instances)),
        others=tuple(sorted(others, key=lambda entry: entry.ref.label)),
    )


def read_plain(ref: PlainRef) -> DicomImage:
    """Decode a plain image; ``dataset`` holds what the manifest says, under DICOM's names.

    Raises
    ------
    DecodeError
        The file is broken, larger than :data:`PIXEL_LIMIT`, of several pages, or of a kind that has no grey or RGB.

    """
    with ref.open() as stream, hushed():
        picture = _opened(stream)
        try:
            stored, notes = _pixels(picture)
            inverted = stored.ndim == 2 and _white_is_zero(picture)
            reduced = _depth(picture, stream) == 16 and stored.dtype == np.uint8
        except _PILLOW_ERRORS as error:
            msg = f"plain image: expected a whole {picture.format}; got {type(error).__name__}; save it again"
            raise DecodeError(msg) from None
    if reduced:
        notes.append("16 bits a channel were read as 8")
    ds = Dataset()
    for keyword, value in ref.row.elements.items():
        setattr(ds, keyword, value.split("\\") if "\\" in value else value)
    ds.PatientID = ref.row.patient
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    spacing = ref.row.elements.get("PixelSpacing", "").split("\\")
    letters = ref.row.elements.get("PatientOrientation", "").split("\\")
    return DicomImage(
        stored=stored,
        dataset=ds,
        frame=0,
        photometric_interpretation="RGB" if stored.ndim == 3 else photometric,
        transfer_syntax=f"none: a {picture.format} file",
        transfer_syntax_uid="",
        decoder="Pillow",
        study_uid="",
        series_uid="",
        sop_instance_uid="",
        pixel_spacing=(float(spacing[0]), float(spacing[1])) if len(spacing) == 2 else None,
        patient_orientation=(letters[0], letters[1]) if len(letters) == 2 else None,
        notes=(NO_PROVENANCE, *notes),
    )


def plain_elements(image: DicomImage, ref: PlainRef, *, keep_identifiers: bool = False) -> dict[str, str]:
    """The allow-listed elements of a plain image, as of a DICOM header; the manifest's year is the study's."""
    kept = allowed_elements(image.dataset, keep_identifiers=keep_identifiers)
    return kept | ({"StudyYear": ref.row.year} if ref.row.year else {})


def display_plain(image: DicomImage, voi: VoiPolicy) -> DisplayImage:
    """What a person would see.

    A picture of 8 bits is ready for display and shown as it is, one of more bits over its full range; a window of the
    pipeline holds for both. Colour is only scaled to 0 .. 1.
    """
    if voi.kind != "header" or image.is_colour:
        return display(image, voi)
    if image.stored.dtype != np.uint8:
        return display(image, VoiPolicy("full-range"))
    # By LINEAR, whose centre lies half a value above the middle (PS3.3 C.11.2.1.2.1), this is the identity.
    shown = display(image, VoiPolicy("window", center=128, width=256))
    return replace(shown, description="8-bit values as they are, 0 .. 255 (plain image)")


def _examine(ref: PlainRef) -> Instance | ScannedFile:
    try:
        with ref.open() as stream, hushed():
            picture = _opened(stream)
            turned = picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except InputError as error:
        return ScannedFile(ref, FileFate.FAILED, str(error), type(error).__name__)
    except _PILLOW_ERRORS as error:
        reason = f"plain image: expected readable metadata; got {type(error).__name__}; save it again"
        return ScannedFile(ref, FileFate.FAILED, reason, DecodeError.__name__)
    columns, rows = picture.size[::-1] if turned else picture.size
    study = _stand_in("study", ref.row.patient, ref.row.study or f"\0{ref.row.path}")
    elements = dict.fromkeys(SELECTION_KEYWORDS, "") | {
        keyword: value for keyword, value in ref.row.elements.items() if keyword in SELECTION_KEYWORDS
    }
    return Instance(
        ref=ref,
        study_uid=study,
        series_uid=_stand_in("series", study),
        sop_instance_uid=_stand_in("image", ref.label),
        sop_class_uid=PLAIN_IMAGE,
        modality=elements["Modality"],
        number_of_frames=1,
        rows=rows,
        columns=columns,
        has_pixels=True,
        elements=elements,
    )


def _opened(stream: BinaryIO) -> Image.Image:
    """A picture whose header was read, of one page and a size that can be decoded."""
    try:
        picture = Image.open(stream, formats=_FORMATS)
        size, mode, several = picture.size, picture.mode, _has_second_page(picture)
    except _PILLOW_ERRORS as error:
        msg = f"plain image: expected a PNG, JPEG or TIFF; got {type(error).__name__}; save it again as one of them"
        raise DecodeError(msg) from None
    if size[0] * size[1] > PIXEL_LIMIT:
        msg = (
            f"plain image: expected at most {PIXEL_LIMIT} pixels; the header promises {size[0]} x {size[1]}; shrink it"
        )
        raise DecodeError(msg)
    if several:
        msg = "plain image: expected one picture; got a TIFF of several pages; save each page as a file of its own"
        raise DecodeError(msg)
    if mode not in (*_GREY, *_WITH_ALPHA, *_COLOUR):
        msg = f"plain image: expected grey or RGB values; got Pillow's mode {mode}; save it again as grey or RGB"
        raise DecodeError(msg)
    return picture


def _has_second_page(picture: Image.Image) -> bool:
    """Whether a second page follows; only one is looked for, as a broken file may chain them in a ring."""
    if picture.format != "TIFF":
        return False
    try:
        picture.seek(1)
    except EOFError:
        picture.seek(0)
        return False
    return True


def _pixels(picture: Image.Image) -> tuple[NDArray[np.generic], list[str]]:
    """Grey (rows, columns) or RGB (rows, columns, 3) values, upright, and what was done to them."""
    notes = []
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation != 1:
        picture = ImageOps.exif_transpose(picture)
        notes.append(f"turned upright as its EXIF orientation ({orientation}) says")
    if picture.mode in _WITH_ALPHA:
        rgba = picture.convert("RGBA")
        if rgba.getchannel("A").getextrema() != (255, 255):
            notes.append("transparent pixels were laid on black")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba).convert("RGB")
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode in _GREY:
        values = np.array(picture)
        return values.astype(values.dtype.newbyteorder("=")), notes
    if picture.mode not in ("RGB", "P"):
        notes.append(f"{picture.mode} was read as RGB")
    colours = np.array(picture.convert("RGB"))
    if (colours == colours[..., :1]).all():
        # Public sets store radiographs so; as grey they keep their window controls.
        return np.ascontiguousarray(colours[..., 0]), [*notes, "three equal channels were read as one"]
    return colours, notes


def _white_is_zero(picture: Image.Image) -> bool:
    """TIFF's PhotometricInterpretation 0; Pillow inverts 8 bits by itself, and leaves more bits as they are."""
    tags = getattr(picture, "tag_v2", {})
    return tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO and picture.mode not in ("1", "L", "LA")


def _depth(picture: Image.Image, stream: BinaryIO) -> int:
    """Bits a channel in the file, where it says so; 8 of a JPEG."""
    if picture.format == "PNG":
        stream.seek(_PNG_DEPTH_AT)
        return stream.read(1)[0]
    bits = getattr(picture, "tag_v2", {}).get(_TIFF_BITS, (8,))
    return int(max(bits))


def _studies(instances: list[Instance]) -> Iterator[Study]:
    by_study: dict[str, list[Instance]] = {}
    for instance in sorted(instances, key=lambda one: one.ref.label):
        by_study.setdefault(instance.study_uid, []).append(instance)
    for uid, members in by_study.items():
        yield Study(uid, (Series(members[0].series_uid, tuple(members)),))


def _unnamed(other: ScannedFile, manifest: Manifest | None, bad: Mapping[str, str]) -> ScannedFile:
    """A file that is not DICOM and that no good row names."""
    label = other.ref.label
    if manifest and label == manifest.label:
        return replace(other, fate=FileFate.NOT_AN_IMAGE, reason="the manifest, which was read", error="")
    if label in bad:
        return replace(other, fate=FileFate.FAILED, reason=bad[label], error=InputError.__name__)
    suffix = next((suffix for suffix in _SUFFIXES if label.lower().endswith(suffix)), "")
    if not suffix:
        return other
    way = f"no row of {manifest.name} names it: add one" if manifest else f"name it in a {MANIFEST_NAME}"
    return replace(other, reason=f"a {_SUFFIXES[suffix]} picture without a DICOM header; {way} (docs/plain-images.md)")


def _unanswered(rows: dict[str, PlainRow], manifest: Manifest, inventory: Inventory) -> Iterator[ScannedFile]:
    """Rows, good and bad, that are answered by no picture."""
    dicom = {instance.ref.label for study in inventory.studies for instance in study.instances}
    seen = {other.ref.label for other in inventory.others}
    for path, row in rows.items():
        why = "names a DICOM file, which speaks for itself; remove the row"
        if path not in dicom:
            why = "names no file of INPUT; correct the path, which is relative to INPUT, or remove the row"
        yield _row_failed(manifest, row.number, path, f"{manifest.name}, row {row.number}, column path: {why}")
    for bad in manifest.bad:
        if bad.path not in seen or bad.path in manifest.rows:
            yield _row_failed(manifest, bad.number, bad.path, bad.reason)


def _row_failed(manifest: Manifest, number: int, path: str, reason: str) -> ScannedFile:
    # Two rows may name one path: the row is part of the label.
    ref = FileRef(Path(path), f"{manifest.name}!row {number}: {path}")
    return ScannedFile(ref, FileFate.FAILED, reason, InputError.__name__)


def _stand_in(*parts: str) -> str:
    """A UID of the form of PS3.5 B.2 in the place of the one that a plain image lacks; the same for the same parts."""
    digest = hashlib.sha256("\0".join(("plain image", *parts)).encode("utf-8", "surrogatepass")).hexdigest()
    return f"2.25.{int(digest[:32], 16)}"
