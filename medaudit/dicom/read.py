"""One frame of one file -> DicomImage: the stored pixels and the header that describes them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

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
from medaudit.dicom.decode import Decoded, decode_frame
from medaudit.dicom.overlay import Overlay
from medaudit.dicom.scan import FileRef
from medaudit.errors import UnsupportedImageError

# Functional groups of enhanced objects that grayscale and geometry need (PS3.3 C.7.6.16.2).
_FRAME_MACROS: Final = (
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "PlaneOrientationSequence",
    "PlanePositionSequence",
    "FrameAnatomySequence",
)


@dataclass(frozen=True, slots=True, eq=False)
class DicomImage:
    """One decoded frame.

    ``stored`` is (rows, columns) or (rows, columns, 3), as decoded: before modality LUT and window,
    colour as RGB. ``dataset`` is the header without pixels; for an enhanced object the functional
    groups of this frame stand at its top level. ``photometric_interpretation`` is that of ``stored``.
    ``decoder`` names what really decoded.
    Spacings are (row, column) in mm, as in :class:`medaudit.records.image.ImageRecord`.
    """

    stored: NDArray[np.generic]
    dataset: Dataset
    frame: int
    photometric_interpretation: str
    transfer_syntax: str
    transfer_syntax_uid: str
    decoder: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    pixel_spacing: tuple[float, float] | None = None
    imager_pixel_spacing: tuple[float, float] | None = None
    patient_orientation: tuple[str, str] | None = None
    overlays: tuple[Overlay, ...] = ()
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

    @property
    def pixel_sha256(self) -> str:
        """Digest of dtype, shape and values of ``stored``, made when asked for: it takes as long as decoding."""
        return pixel_digest(self.stored)


def read_image(source: FileRef | Path | str, *, frame: int = 0) -> DicomImage:
    """Decode one frame, and nothing else of the pixels.

    Whether the SOP class is a picture in the sense of an audit is for :func:`medaudit.dicom.scan.is_picture` to say:
    here every object with pixels is decoded.

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
        The object has no pixels.
    DecodeError
        The pixels cannot be decoded here; the message says what was tried and what to install.
    InputError
        The file cannot be read, or has no such frame.

    """
    (image,) = read_images(source, (frame,))
    return image


def read_images(source: FileRef | Path | str, frames: Iterable[int]) -> Iterator[DicomImage]:
    """Decode some frames of one file, one after the other; the header is read once, and one frame is held at a time.

    Parameters and errors are those of :func:`read_image`; ``frames`` are 0-based. Warnings are caught while a frame is
    read: not for two threads at once.
    """
    ref = source if isinstance(source, FileRef) else FileRef(Path(source), Path(source).name)
    with ref.open() as stream:
        with hushed():
            opened = open_dataset(stream)
            if opened.pixels_at is None:
                msg = "Pixel Data (7FE0,0010): expected pixels; the object has none; retrieve it again with its pixels"
                raise UnsupportedImageError(msg)
            groups = _Groups.taken_from(opened.dataset)
            complaints = settle(opened.dataset)
        for frame in frames:
            with hushed():
                lifted = replace(opened, dataset=copy(opened.dataset))
                notes = [*opened.notes, *groups.lift(lifted.dataset, frame)]
                notes += irregular(complaints + (settle(lifted.dataset) if groups else 0))
                decoded = decode_frame(lifted, frame)
            yield _image(lifted, decoded, frame, (*notes, *decoded.notes))


def _image(opened: OpenedDataset, decoded: Decoded, frame: int, notes: tuple[str, ...]) -> DicomImage:
    ds, stored = opened.dataset, decoded.stored
    return DicomImage(
        stored=stored,
        dataset=ds,
        frame=frame,
        photometric_interpretation="RGB" if stored.ndim == 3 else text_of(ds, "PhotometricInterpretation"),
        transfer_syntax=opened.transfer_syntax.name,
        transfer_syntax_uid=str(opened.transfer_syntax),
        decoder=decoded.decoder,
        study_uid=text_of(ds, "StudyInstanceUID"),
        series_uid=text_of(ds, "SeriesInstanceUID"),
        sop_instance_uid=text_of(ds, "SOPInstanceUID"),
        pixel_spacing=_spacing(ds, "PixelSpacing"),
        imager_pixel_spacing=_spacing(ds, "ImagerPixelSpacing"),
        patient_orientation=_orientation(ds),
        overlays=decoded.overlays,
        notes=notes,
    )


def pixel_digest(stored: NDArray[np.generic]) -> str:
    """Hex sha256 of dtype, shape and values: equal exactly where the decoded pixels are."""
    digest = hashlib.sha256(f"{stored.dtype.newbyteorder('<').str}{stored.shape}".encode())
    digest.update(np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """The functional groups of an enhanced object (PS3.3 C.7.6.16), taken out of its header."""

    shared: Sequence[Dataset]
    per_frame: Sequence[Dataset]
    notes: tuple[str, ...] = ()

    @classmethod
    def taken_from(cls, ds: Dataset) -> "_Groups":
        taken: list[Sequence[Dataset]] = []
        notes: list[str] = []
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            groups: Sequence[Dataset] = ()
            if keyword in ds:
                try:
                    value = ds[keyword].value
                    groups = value if isinstance(value, DicomSequence) else ()
                except PARSE_ERRORS as error:
                    notes.append(f"{keyword} is unusable ({type(error).__name__}) and was left out")
                del ds[keyword]
            taken.append(groups)
        return cls(taken[0], taken[1], tuple(notes))

    def __bool__(self) -> bool:
        return bool(self.shared or self.per_frame)

    def lift(self, ds: Dataset, frame: int) -> tuple[str, ...]:
        """Lift the groups of one frame to the top level of ``ds``; what was done, in words."""
        lifted: set[str] = set()
        for groups, index in ((self.shared, 0), (self.per_frame, frame)):
            if not 0 <= index < len(groups):
                continue
            for macro in _FRAME_MACROS:
                try:
                    items = groups[index].get(macro)
                    if items:
                        ds.update(items[0])
                        lifted.add(macro)
                except PARSE_ERRORS as error:
                    return (*self.notes, f"{macro} is unusable ({type(error).__name__}) and was left out")
        words = (f"taken from the functional groups of frame {frame + 1}: {', '.join(sorted(lifted))}",)
        return (*self.notes, *words) if lifted else self.notes


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
