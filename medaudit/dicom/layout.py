"""How pixels lie in a file, from the Image Pixel module (PS3.3 C.7.6.3); what is repaired is said."""

from dataclasses import dataclass, replace
from typing import Any, Final

from pydicom.dataset import Dataset

from medaudit.dicom.dataset import numbers_of, text_of
from medaudit.errors import DecodeError

# A frame of 11,585 x 11,585 grey pixels: larger than any radiograph.
FRAME_SAMPLE_LIMIT: Final = 2**27
# An hour of cine at 30 frames a second has a tenth of this.
FRAME_COUNT_LIMIT: Final = 2**20

_GREY: Final = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR: Final = (
    "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL",
)  # fmt: skip
_FLOATS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """The layout of one file's pixels; every value is usable.

    ``keyword`` is PixelData, FloatPixelData or DoubleFloatPixelData. ``high_bit`` is 0-based. ``notes`` say what the
    header leaves out or contradicts.
    """

    rows: int
    columns: int
    samples: int
    frames: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: int
    keyword: str = "PixelData"
    notes: tuple[str, ...] = ()

    @property
    def frame_samples(self) -> int:
        """Numbers in one frame."""
        return self.rows * self.columns * self.samples

    @property
    def is_subsampled(self) -> bool:
        """Whether uncompressed pixels share their chroma two by two (PS3.3 C.7.6.3.1.2)."""
        return self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422")

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame; frames of 1 bit a pixel follow each other without padding."""
        bits = self.frame_samples * self.bits_allocated
        return bits // 3 * 2 if self.is_subsampled else bits

    def options(self) -> dict[str, Any]:
        """The same for pydicom's decoders."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "samples_per_pixel": self.samples,
            "number_of_frames": 1,
            "photometric_interpretation": self.photometric,
            "bits_allocated": self.bits_allocated,
            "bits_stored": self.bits_stored,
            "pixel_representation": int(self.signed),
            "planar_configuration": self.planar,
            "pixel_keyword": self.keyword,
            "pixel_vr": "OB",
        }

    def fitted_to(self, value_bits: int) -> "PixelLayout":
        """The layout that uncompressed pixels of ``value_bits`` have, where chroma subsampling is declared wrongly."""
        whole = replace(self, photometric="YBR_FULL")
        if self.is_subsampled and value_bits >= whole.frame_bits * self.frames:
            kind = self.photometric.removesuffix("_422")
            note = f"{self.photometric} declared, but the pixels are not subsampled"
            return replace(self, photometric=kind, notes=(*self.notes, note))
        halved = replace(self, photometric="YBR_FULL_422")
        if self.photometric == "YBR_FULL" and halved.frame_bits * self.frames <= value_bits < self.frame_bits:
            return replace(halved, notes=(*self.notes, "YBR_FULL declared, but the pixels are subsampled"))
        return self


def pixel_layout(ds: Dataset, keyword: str = "PixelData") -> PixelLayout:
    """Read the Image Pixel module.

    Raises
    ------
    DecodeError
        Rows, Columns, Samples per Pixel or Bits Allocated leave no reading, or promise more than a bound.

    """
    rows, columns = whole_number(ds, "Rows"), whole_number(ds, "Columns")
    notes: list[str] = []
    frames = whole_number(ds, "NumberOfFrames")
    if frames < 1:
        if text_of(ds, "NumberOfFrames"):
            notes.append("Number of Frames (0028,0008) is unusable: taken as 1")
        frames = 1
    samples, photometric = _colours(ds, notes)
    _require_size(rows, columns, samples, frames)
    allocated = _FLOATS.get(keyword) or whole_number(ds, "BitsAllocated")
    if not (1 <= allocated <= 64) or (allocated > 32 and allocated != 64):
        msg = f"Bits Allocated (0028,0100): expected 1 .. 32 or 64; got {allocated}; export the image again"
        raise DecodeError(msg)
    stored, high = _bits(ds, allocated, keyword, notes)
    return PixelLayout(
        rows=rows,
        columns=columns,
        samples=samples,
        frames=frames,
        photometric=photometric,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=whole_number(ds, "PixelRepresentation") == 1,
        planar=1 if whole_number(ds, "PlanarConfiguration") == 1 else 0,
        keyword=keyword,
        notes=tuple(notes),
    )


def pixel_bytes(count: int) -> PixelLayout:
    """The layout of ``count`` bytes in one row."""
    return PixelLayout(1, count, 1, 1, "MONOCHROME2", 8, 8, 7, signed=False, planar=0)


def whole_number(ds: Dataset, keyword: str) -> int:
    """A whole number; 0 where the element is absent or none."""
    values = numbers_of(ds, keyword)
    return int(values[0]) if values and values[0].is_integer() else 0


def _colours(ds: Dataset, notes: list[str]) -> tuple[int, str]:
    """Samples per Pixel and Photometric Interpretation, each standing in for the other where one is unusable."""
    declared = text_of(ds, "PhotometricInterpretation").upper().replace("_COLOR", " COLOR")
    samples = whole_number(ds, "SamplesPerPixel")
    if samples == 0 and not text_of(ds, "SamplesPerPixel"):
        samples = 3 if declared in _COLOUR else 1
        notes.append(f"Samples per Pixel (0028,0002) is absent: taken as {samples}")
    fitting = {1: _GREY, 3: _COLOUR}.get(samples, ())
    if declared in fitting or not fitting:
        return samples, declared
    stand_in = "MONOCHROME2" if samples == 1 else "RGB"
    notes.append(
        f"Photometric Interpretation (0028,0004) does not fit {samples} sample{'s' * (samples > 1)} a pixel: "
        f"taken as {stand_in}"
    )
    return samples, stand_in


def _require_size(rows: int, columns: int, samples: int, frames: int) -> None:
    """Hold what the header promises against the bounds, before anything is allocated."""
    if min(rows, columns) < 1 or samples not in (1, 3):
        msg = (
            "image size: expected Rows, Columns >= 1 and Samples per Pixel 1 or 3; "
            f"got {rows}, {columns}, {samples}; export the image again"
        )
        raise DecodeError(msg)
    if rows * columns * samples > FRAME_SAMPLE_LIMIT or frames > FRAME_COUNT_LIMIT:
        msg = (
            f"image size: expected at most {FRAME_SAMPLE_LIMIT} samples a frame and {FRAME_COUNT_LIMIT} frames; "
            f"the header promises {rows} x {columns} x {samples}, {frames} frames; check the header"
        )
        raise DecodeError(msg)


def _bits(ds: Dataset, allocated: int, keyword: str, notes: list[str]) -> tuple[int, int]:
    """Bits Stored and High Bit within Bits Allocated (PS3.5 8.1.1)."""
    if keyword in _FLOATS:
        return allocated, allocated - 1
    stored = whole_number(ds, "BitsStored")
    if not 1 <= stored <= allocated:
        notes.append(f"Bits Stored (0028,0101) is unusable: taken as {allocated}")
        stored = allocated
    high = whole_number(ds, "HighBit") if text_of(ds, "HighBit") else stored - 1
    if not stored - 1 <= high < allocated:
        notes.append(f"High Bit (0028,0102) is unusable: taken as {stored - 1}")
        high = stored - 1
    return stored, high
