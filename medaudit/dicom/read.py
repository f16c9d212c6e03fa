"""One frame of one file -> DicomImage: the stored pixels and the header that describes them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID

from medaudit.dicom.apart import decode_apart
from medaudit.dicom.dataset import (
    PARSE_ERRORS,
    OpenedDataset,
    hushed,
    irregular,
    numbers_of,
    open_dataset,
    settle,
    text_of,
)
from medaudit.dicom.dcmtk import EXTENDED, decompress_jpeg, find_dcmdjpeg
from medaudit.dicom.frame import DECODE_ERRORS, decode_frame
from medaudit.dicom.scan import FileRef
from medaudit.dicom.sop_classes import PICTURES
from medaudit.errors import DecodeError, InputError, UnsupportedImageError

# A frame of 16,384 x 16,384 grey pixels: larger than any radiograph, and 2 GiB in float64.
FRAME_SAMPLE_LIMIT: Final = 2**28
# An hour of cine at 30 frames a second has a tenth of this.
FRAME_COUNT_LIMIT: Final = 2**20

_INSTALL: Final[Mapping[str, str]] = {
    EXTENDED: "install dcmtk (its dcmdjpeg is found on PATH), or medaudit[gpl]",
    "1.2.840.10008.1.2.4.201": "install pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.202": "install pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.203": "install pylibjpeg-openjpeg",
}
_INSTALL_DEFAULT: Final = "convert the file with dcmconv, dcmdjpeg or gdcmconv"

# Functional groups of enhanced objects that grayscale and geometry need (PS3.3 C.7.6.16.2).
_FRAME_MACROS: Final = (
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "PlaneOrientationSequence",
    "FrameAnatomySequence",
)


@dataclass(frozen=True, slots=True, eq=False)
class DicomImage:
    """One decoded frame.

    ``stored`` is (rows, columns) or (rows, columns, 3), as decoded: before modality LUT and window,
    colour as RGB. ``dataset`` is the header without pixels; for an enhanced object the functional
    groups of this frame stand at its top level. ``photometric_interpretation`` is that of ``stored``.
    ``decoder`` names what really decoded. ``pixel_sha256`` covers dtype, shape and values of ``stored``.
    Spacings are (row, column) in mm, as in :class:`medaudit.records.image.ImageRecord`.
    """

    stored: NDArray[np.generic]
    dataset: Dataset
    frame: int
    photometric_interpretation: str
    transfer_syntax: str
    transfer_syntax_uid: str
    decoder: str
    pixel_sha256: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    pixel_spacing: tuple[float, float] | None = None
    imager_pixel_spacing: tuple[float, float] | None = None
    patient_orientation: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.stored.dtype.kind not in "iuf" or self.stored.ndim < 2 or self.stored.shape[2:] not in ((), (3,)):
            got = f"{self.stored.dtype} {self.stored.shape}"
            msg = f"DicomImage.stored: expected numbers of shape (rows, columns) or (rows, columns, 3); got {got}"
            raise ValueError(msg)

    @property
    def is_colour(self) -> bool:
        """Whether ``stored`` is RGB."""
        return self.stored.ndim == 3


def read_image(source: FileRef | Path | str, *, frame: int = 0) -> DicomImage:
    """Decode one frame, and nothing else of the pixels.

    Parameters
    ----------
    source
        What :func:`medaudit.dicom.scan.scan` found, or the path of a file.
    frame
        0-based.

    Raises
    ------
    NotDicomError
        The bytes are not DICOM.
    UnsupportedImageError
        No pixels, or a SOP class that stores no picture (segmentation, parametric map, RT dose ...).
    DecodeError
        The pixels cannot be decoded here; the message says what was tried and what to install.
    InputError
        The file cannot be read, or has no such frame.

    """
    ref = source if isinstance(source, FileRef) else FileRef(Path(source), Path(source).name)
    with ref.open() as stream, hushed():
        opened = open_dataset(stream)
        _require_picture(opened)
        notes = [*opened.notes, *_lift_frame(opened.dataset, frame)]
        notes += irregular(settle(opened.dataset))
        _require_size(opened, frame)
        with hushed() as caught:
            stored, decoder = _decode(opened, ref, frame)
            stored = _to_rgb(stored, opened)
        notes += [f"the decoder reported {len(caught)} irregularities"] if caught else []
        return _image(opened, stored, frame, decoder, tuple(notes))


def _image(
    opened: OpenedDataset, stored: NDArray[np.generic], frame: int, decoder: str, notes: tuple[str, ...]
) -> DicomImage:
    ds = opened.dataset
    return DicomImage(
        stored=stored,
        dataset=ds,
        frame=frame,
        photometric_interpretation="RGB" if stored.ndim == 3 else text_of(ds, "PhotometricInterpretation"),
        transfer_syntax=opened.transfer_syntax.name,
        transfer_syntax_uid=str(opened.transfer_syntax),
        decoder=decoder,
        pixel_sha256=pixel_digest(stored),
        study_uid=text_of(ds, "StudyInstanceUID"),
        series_uid=text_of(ds, "SeriesInstanceUID"),
        sop_instance_uid=text_of(ds, "SOPInstanceUID"),
        pixel_spacing=_spacing(ds, "PixelSpacing"),
        imager_pixel_spacing=_spacing(ds, "ImagerPixelSpacing"),
        patient_orientation=_orientation(ds),
        notes=notes,
    )


def install_hint(transfer_syntax_uid: str) -> str:
    """What a person can do where no decoder for a transfer syntax works."""
    return _INSTALL.get(transfer_syntax_uid, _INSTALL_DEFAULT)


def pixel_digest(stored: NDArray[np.generic]) -> str:
    """Hex sha256 of dtype, shape and values: equal exactly where the decoded pixels are."""
    digest = hashlib.sha256(f"{stored.dtype.newbyteorder('<').str}{stored.shape}".encode())
    digest.update(np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _require_picture(opened: OpenedDataset) -> None:
    if opened.sop_class_uid not in PICTURES:
        name = UID(opened.sop_class_uid).name if opened.sop_class_uid.startswith("1.2.840.10008.") else "unknown class"
        msg = f"SOP Class UID (0008,0016): expected a class that stores pictures; got {name}"
        raise UnsupportedImageError(msg)
    if opened.pixels_at is None:
        msg = "Pixel Data (7FE0,0010): expected pixels; the object has none; retrieve it again with its pixels"
        raise UnsupportedImageError(msg)


def _require_size(opened: OpenedDataset, frame: int) -> None:
    """Hold what the header promises against the bounds, before anything is allocated."""
    ds = opened.dataset
    rows, columns, samples = (_whole(ds, keyword) for keyword in ("Rows", "Columns", "SamplesPerPixel"))
    frames = _whole(ds, "NumberOfFrames") if text_of(ds, "NumberOfFrames") else 1
    if min(rows, columns) < 1 or samples not in (1, 3) or frames < 1:
        msg = (
            "image size: expected Rows, Columns >= 1, Samples per Pixel 1 or 3, Number of Frames >= 1; "
            f"got {rows}, {columns}, {samples}, {frames}"
        )
        raise DecodeError(msg)
    if rows * columns * samples > FRAME_SAMPLE_LIMIT or frames > FRAME_COUNT_LIMIT:
        msg = (
            f"image size: expected at most {FRAME_SAMPLE_LIMIT} samples a frame and {FRAME_COUNT_LIMIT} frames; "
            f"the header promises {rows} x {columns} x {samples}, {frames} frames"
        )
        raise DecodeError(msg)
    if not 0 <= frame < frames:
        msg = f"frame: expected 0 .. {frames - 1}; got {frame}"
        raise InputError(msg)


def _decode(opened: OpenedDataset, ref: FileRef, frame: int) -> tuple[NDArray[np.generic], str]:
    """Stored pixels and the name of what decoded them: each plugin in turn, then dcmtk."""
    try:
        decoder = get_decoder(opened.encoding)
    except NotImplementedError:
        raise DecodeError(_failure(opened, "pydicom knows no decoder for it")) from None
    tried = []
    # Uncompressed pixels have no plugins: pydicom reads them itself.
    for plugin in _plugins(decoder.available_plugins) if decoder.is_encapsulated else ("",):
        try:
            return _by_plugin(opened, ref, frame, plugin), plugin or "pydicom"
        except (InputError, *DECODE_ERRORS) as error:
            tried.append(f"{plugin or 'pydicom'} ({type(error).__name__})")
    program = find_dcmdjpeg() if opened.encoding == EXTENDED else None
    if program:
        try:
            with ref.open() as original, decompress_jpeg(program, original) as plain:
                return decode_frame(open_dataset(plain), frame, ""), "dcmdjpeg (dcmtk)"
        except (InputError, *DECODE_ERRORS) as error:
            tried.append(f"dcmdjpeg ({type(error).__name__})")
    raise DecodeError(_failure(opened, f"tried {', '.join(tried) or 'nothing, as no plugin is installed'}")) from None


def _by_plugin(opened: OpenedDataset, ref: FileRef, frame: int, plugin: str) -> NDArray[np.generic]:
    if plugin != "gdcm":
        return decode_frame(opened, frame, plugin)
    with ref.open() as stream:
        return decode_apart(stream, frame, plugin)


def _plugins(available: Sequence[str]) -> tuple[str, ...]:
    """The plugins worth a try, in order.

    Pillow goes last of several: it knows 8 bits best. gdcm is used where it is the only one (lossless
    JPEG), and then in a process of its own.
    """
    safe = tuple(name for name in available if name != "gdcm")
    return tuple(sorted(safe, key=lambda name: name == "pillow")) or tuple(available)


def _failure(opened: OpenedDataset, what: str) -> str:
    syntax = opened.transfer_syntax
    name = f"{syntax.name} ({syntax})" if syntax.is_valid else "an invalid UID"
    if not syntax.is_transfer_syntax or opened.encoding.is_encapsulated:
        way_out = install_hint(syntax)
    else:
        way_out = "the pixels may be cut short: retrieve the file again"
    return f"Transfer Syntax UID (0002,0010) {name}: expected to decode the pixels; {what}; {way_out}"


def _to_rgb(stored: NDArray[np.generic], opened: OpenedDataset) -> NDArray[np.generic]:
    """Palette colour through its tables (PS3.3 C.7.6.3.1.5); other pixels as they are."""
    if text_of(opened.dataset, "PhotometricInterpretation") != "PALETTE COLOR":
        return stored
    try:
        colours = apply_color_lut(stored, opened.dataset)[..., :3]
    except PARSE_ERRORS as error:
        msg = (
            "Palette Color Lookup Table (0028,1101-1223): expected three usable tables; "
            f"got {type(error).__name__}; export the image as RGB"
        )
        raise DecodeError(msg) from None
    # pydicom reads plain 16-bit tables as little endian whatever the file is; segmented ones rightly.
    plain = "RedPaletteColorLookupTableData" in opened.dataset
    return colours.byteswap() if plain and colours.itemsize == 2 and not opened.encoding.is_little_endian else colours


def _lift_frame(ds: Dataset, frame: int) -> tuple[str, ...]:
    """Lift the functional groups of one frame to the top level, and drop those of all others."""
    lifted = []
    for keyword, index in (("SharedFunctionalGroupsSequence", 0), ("PerFrameFunctionalGroupsSequence", frame)):
        if keyword not in ds:
            continue
        try:
            groups = ds[keyword].value
            for macro in _FRAME_MACROS if 0 <= index < len(groups) else ():
                if groups[index].get(macro):
                    ds.update(groups[index][macro].value[0])
                    lifted.append(macro)
        except PARSE_ERRORS as error:
            return (f"{keyword} is unusable ({type(error).__name__}) and was left out",)
        del ds[keyword]
    return (
        (f"taken from the functional groups of frame {frame + 1}: {', '.join(sorted(set(lifted)))}",) if lifted else ()
    )


def _whole(ds: Dataset, keyword: str) -> int:
    """A whole number; 0 where the element is absent or none."""
    values = numbers_of(ds, keyword)
    return int(values[0]) if values and values[0].is_integer() else 0


def _spacing(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    values = numbers_of(ds, keyword)
    return (values[0], values[1]) if len(values) == 2 and min(values) > 0 and np.isfinite(values).all() else None


def _orientation(ds: Dataset) -> tuple[str, str] | None:
    """Patient Orientation (0020,0020), else the main axes of Image Orientation (0020,0037).

    PS3.3 C.7.6.1.1.1 and C.7.6.2.1.1: the axes of the patient point to L, P and H.
    """
    letters = text_of(ds, "PatientOrientation").split("\\")
    if len(letters) == 2 and all(letter and set(letter) <= set("LRAPHF") for letter in letters):
        return letters[0], letters[1]
    cosines = numbers_of(ds, "ImageOrientationPatient")
    if len(cosines) != 6 or not np.isfinite(cosines).all() or not (any(cosines[:3]) and any(cosines[3:])):
        return None
    return _main_axis(cosines[:3]), _main_axis(cosines[3:])


def _main_axis(cosines: tuple[float, ...]) -> str:
    axis = int(np.argmax(np.abs(cosines)))
    return "LPH"[axis] if cosines[axis] > 0 else "RAF"[axis]
