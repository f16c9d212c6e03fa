"""DicomImage -> DisplayImage: modality LUT, then VOI, then MONOCHROME1 (PS3.3 C.11.1, C.11.2, C.11.6; PS3.4 N.2).

What was applied is said in words in ``DisplayImage.description``; nothing is assumed in silence.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from medaudit.dicom.dataset import PARSE_ERRORS, hushed, numbers_of, text_of
from medaudit.dicom.read import DicomImage
from medaudit.dicom.voi import linear, linear_exact, sigmoid
from medaudit.errors import MissingElementError
from medaudit.records.image import ReadingCopy

VoiKind = Literal["header", "full-range", "window", "percentiles"]
_KINDS: Final = ("header", "full-range", "window", "percentiles")
_FUNCTIONS: Final = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}


@dataclass(frozen=True, slots=True)
class VoiPolicy:
    """Where the window comes from.

    ``header``: the file's VOI LUT, else its window number ``index`` (0-based), else the full range.
    ``full-range``: minimum to maximum of the modality values, padding left out. ``window``: ``center``
    and ``width`` in modality values, by LINEAR. ``percentiles``: between two ``percentiles`` of the image's own
    modality values, padding left out. ``name`` is what the pipeline calls it.
    """

    kind: VoiKind = "header"
    center: float | None = None
    width: float | None = None
    index: int = 0
    percentiles: tuple[float, float] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            msg = f"VoiPolicy.kind: expected one of {', '.join(_KINDS)}; got {self.kind!r}"
            raise ValueError(msg)
        usable = self.center is not None and self.width is not None and self.width >= 1
        if self.kind == "window" and not usable:
            msg = f"VoiPolicy: expected center and width >= 1 for kind 'window'; got {self.center}, {self.width}"
            raise ValueError(msg)
        low, high = self.percentiles or (0, 0)
        if self.kind == "percentiles" and not 0 <= low < high <= 100:
            msg = f"VoiPolicy.percentiles: expected 0 <= low < high <= 100; got {self.percentiles}"
            raise ValueError(msg)
        if self.index < 0:
            msg = f"VoiPolicy.index: expected >= 0; got {self.index}"
            raise ValueError(msg)


HEADER: Final = VoiPolicy()


@dataclass(frozen=True, slots=True, eq=False)
class DisplayImage:
    """What a person would see.

    ``values`` is float32 in 0 .. 1, (rows, columns) or (rows, columns, 3); brighter is brighter.
    ``modality_values`` is float32 (rows, columns), after the modality LUT; None for colour.
    ``window`` is (centre, width) in modality values: the one that was applied, or, after a LUT or the
    full range, the one that spans the values; None for colour. ``inverted`` says that high modality
    values are dark.
    """

    values: NDArray[np.float32]
    modality_values: NDArray[np.float32] | None
    inverted: bool
    window: tuple[float, float] | None
    description: str

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or not (self.values.min() >= 0 and self.values.max() <= 1):
            msg = f"DisplayImage.values: expected float32 in 0 .. 1; got {self.values.dtype} or values beyond"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class _Voi:
    """Levels in 0 .. 1 before inversion, the window to show, and the words for both."""

    level: NDArray[np.float64]
    window: tuple[float, float]
    words: str


def display(image: DicomImage, voi: VoiPolicy = HEADER, *, overlays: bool = False) -> DisplayImage:
    """Run the grayscale pipeline of PS3.4 N.2 on one image; colour is only scaled to 0 .. 1.

    Padding (0028,0120), (0028,0121) is left out of the full range and shown black. ``overlays`` draws overlay planes
    in white, as a workstation does; otherwise the description says how many there are.

    Raises
    ------
    MissingElementError
        A lookup table in the header is unusable.

    """
    if image.is_colour:
        return _overlaid(_colour(image), image, drawn=overlays)
    numbers = _Numbers.of(image.stored)
    modality, modality_words = _modality(image.dataset, numbers.values)
    finite = np.isfinite(modality)
    background = _padding(image.dataset, numbers.values) | ~finite
    if background[numbers.present].all():
        background = ~finite
    coloured = _supplemental(image, numbers.values) & ~background
    inside = numbers.present & ~background
    if (inside & ~coloured).any():
        inside &= ~coloured
    if not inside.any():
        msg = "Pixel Data: expected at least one finite value; got none"
        raise MissingElementError(msg)
    modality = np.where(finite, modality, modality[inside].min())
    chosen = _voi(image.dataset, modality, (inside, numbers), voi)
    inverted = (
        image.photometric_interpretation == "MONOCHROME1" or text_of(image.dataset, "PresentationLUTShape") == "INVERSE"
    )
    level = 1 - chosen.level if inverted else chosen.level
    words = [modality_words, chosen.words]
    if inverted:
        monochrome1 = image.photometric_interpretation == "MONOCHROME1"
        words.append(f"{'MONOCHROME1' if monochrome1 else 'Presentation LUT Shape INVERSE'} inverted")
    if background[numbers.present].any():
        words.append("padding black")
    if count := numbers.how_many(coloured):
        level = np.where(coloured, 1, level)
        words.append(f"{count} pixels of a supplemental palette in white instead of their colours")
    shown = DisplayImage(
        values=numbers.spread(np.where(background, 0, level)),
        modality_values=numbers.spread(modality),
        inverted=inverted,
        window=chosen.window,
        description=", ".join(words),
    )
    return _overlaid(shown, image, drawn=overlays)


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """The numbers of an image, each once where they are whole and few: what is done to a number is done once.

    ``values`` are the numbers, ``present`` says which of them occur, and ``counts`` how often (None: ``values`` is the
    image itself). ``index`` is the place in ``values`` of every pixel.
    """

    values: NDArray[np.generic]
    present: NDArray[np.bool_]
    counts: NDArray[np.int64] | None
    index: NDArray[np.int32] | None

    @classmethod
    def of(cls, stored: NDArray[np.generic]) -> "_Numbers":
        if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
            index = stored.astype(np.int32)
            low = int(index.min())
            index -= low
            counts = np.bincount(index.ravel())
            values = np.arange(low, low + len(counts)).astype(stored.dtype)
            return cls(values, counts > 0, counts, index)
        return cls(stored, np.ones(stored.shape, dtype=np.bool_), None, None)

    def how_many(self, of_values: NDArray[np.bool_]) -> int:
        """How many pixels have one of the numbers."""
        return int(of_values.sum() if self.counts is None else self.counts[of_values].sum())

    def spread(self, of_values: NDArray[np.float64]) -> NDArray[np.float32]:
        """What every number became, at every pixel that has it."""
        single = of_values.astype(np.float32)
        return single if self.index is None else single[self.index]


def _overlaid(shown: DisplayImage, image: DicomImage, *, drawn: bool) -> DisplayImage:
    """The picture with its overlay planes in white, or with the words that they are left out."""
    planes = [plane for plane in image.overlays if plane.bits.any()]
    if not planes:
        return shown
    words = f"{shown.description}, {len(planes)} overlay{'s' * (len(planes) > 1)} {'drawn' if drawn else 'not drawn'}"
    if not drawn:
        return replace(shown, description=words)
    values = shown.values.copy()
    for plane in planes:
        values[plane.bits] = 1
    return replace(shown, values=values, description=words)


def reading_copy(shown: DisplayImage, max_side: int = 1024) -> ReadingCopy:
    """The picture for report and viewer: area-averaged so that no side exceeds ``max_side``.

    A smaller image keeps its size. ``values`` hold the modality values exactly where they are whole
    numbers that fit 16 bits, else in 65,536 even steps from minimum to maximum.
    """
    if max_side < 1:
        msg = f"max_side: expected >= 1; got {max_side}"
        raise ValueError(msg)
    height, width = shown.values.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if shown.values.ndim == 3:
        planes = [_averaged(shown.values[..., channel], size) for channel in range(3)]
        picture = _to_uint8(np.stack(planes, axis=-1))
    else:
        picture = _to_uint8(_averaged(shown.values, size))
    if shown.modality_values is None:
        return ReadingCopy(shown=picture)
    modality = _averaged(shown.modality_values, size).astype(np.float64)
    low, high = float(modality.min()), float(modality.max())
    whole = high - low <= 65535 and bool((modality == np.rint(modality)).all())
    slope = 1.0 if whole or high == low else (high - low) / 65535
    return ReadingCopy(
        shown=picture,
        values=np.rint((modality - low) / slope).astype(np.uint16),
        slope=slope,
        intercept=low,
        window=shown.window,
        inverted=shown.inverted,
    )


def _averaged(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """(h, w) float32 at ``size`` = (width, height), each pixel the mean of the area that it covers."""
    picture = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.float32)


def _to_uint8(level: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(255 * np.clip(level, 0, 1)).astype(np.uint8)


def _colour(image: DicomImage) -> DisplayImage:
    """RGB over its full scale; ICC profiles are not applied."""
    ds, stored = image.dataset, image.stored
    if text_of(ds, "PhotometricInterpretation") == "PALETTE COLOR":
        bits, words = numbers_of(ds, "RedPaletteColorLookupTableDescriptor")[2:], "palette colour as RGB"
    else:
        bits, words = numbers_of(ds, "BitsStored"), "colour as RGB"
    whole = 8 * stored.dtype.itemsize
    scale = 2.0 ** (bits[0] if bits and 1 <= bits[0] <= whole else whole) - 1
    # A header that promises fewer bits than are used: the range that the numbers have.
    if stored.max() > scale:
        scale = 2.0**whole - 1
    values = np.clip(stored.astype(np.float64) / scale, 0, 1).astype(np.float32)
    return DisplayImage(values, None, inverted=False, window=None, description=f"{words}, 0 .. {scale:g}, no window")


def _modality(ds: Dataset, numbers: NDArray[np.generic]) -> tuple[NDArray[np.float64], str]:
    """Modality values and the words for it (PS3.3 C.11.1)."""
    stored = numbers.astype(np.float64)
    if ds.get("ModalityLUTSequence"):
        return _through_table(apply_modality_lut, stored, ds, "Modality LUT"), "modality LUT"
    slope, intercept = numbers_of(ds, "RescaleSlope"), numbers_of(ds, "RescaleIntercept")
    if not slope and not intercept:
        return stored, "no rescale"
    if len(slope) != 1 or len(intercept) != 1 or not np.isfinite([*slope, *intercept]).all() or slope[0] == 0:
        return stored, "rescale in the header is unusable and was left out"
    return stored * slope[0] + intercept[0], f"rescale {slope[0]:g}/{intercept[0]:g}"


def _through_table(
    table: Callable[[NDArray[np.int64], Dataset], NDArray[np.generic]],
    values: NDArray[np.generic],
    ds: Dataset,
    name: str,
) -> NDArray[np.float64]:
    """Values, to the nearest whole number, through the first table of a LUT sequence."""
    try:
        with hushed():
            # int64, as pydicom does the index arithmetic in the type of the values.
            return table(np.rint(values.astype(np.float64)).astype(np.int64), ds).astype(np.float64)
    except PARSE_ERRORS as error:
        msg = f"{name} Sequence: expected a usable table (PS3.3 C.11); got {type(error).__name__}; use voi full-range"
        raise MissingElementError(msg) from None


def _padding(ds: Dataset, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where the stored value is padding (PS3.3 C.7.5.1.1.2)."""
    value, limit = numbers_of(ds, "PixelPaddingValue"), numbers_of(ds, "PixelPaddingRangeLimit")
    if len(value) != 1:
        return np.zeros(stored.shape, dtype=np.bool_)
    ends = sorted(_as_stored(number, stored.dtype) for number in (value[0], *limit[:1]))
    numbers = stored.astype(np.float64)
    return np.asarray((numbers >= ends[0]) & (numbers <= ends[-1]))


def _supplemental(image: DicomImage, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where the stored value stands for a colour laid over the grey picture (PS3.3 C.7.6.19, C.8.16.2).

    The tables begin at the lowest of these values; all below are grey.
    """
    ds = image.dataset
    first = numbers_of(ds, "RedPaletteColorLookupTableDescriptor")[1:2]
    pixel_presentation = text_of(ds, "PixelPresentation")
    if not first or image.photometric_interpretation != "MONOCHROME2" or pixel_presentation not in ("COLOR", "MIXED"):
        return np.zeros(stored.shape, dtype=np.bool_)
    return np.asarray(stored.astype(np.float64) >= _as_stored(first[0], stored.dtype))


def _as_stored(value: float, dtype: np.dtype[np.generic]) -> float:
    """The number in the sign of the pixels: files write -2000 as 63536 where the element's VR is US."""
    half = 2.0 ** (8 * dtype.itemsize - 1)
    if dtype.kind == "i" and value >= half:
        return value - 2 * half
    return value + 2 * half if dtype.kind == "u" and value < 0 else value


def _voi(
    ds: Dataset, modality: NDArray[np.float64], pixels: tuple[NDArray[np.bool_], _Numbers], voi: VoiPolicy
) -> _Voi:
    inside, numbers = modality[pixels[0]], pixels[1]
    if voi.kind == "percentiles" and voi.percentiles:
        every = inside if numbers.counts is None else np.repeat(inside, numbers.counts[pixels[0]])
        low, high = (float(value) for value in np.percentile(every, voi.percentiles))
        level = np.clip((modality - low) / ((high - low) or 1.0), 0, 1)
        words = f"percentiles {voi.percentiles[0]:g} .. {voi.percentiles[1]:g}: {low:g} .. {high:g}"
        return _Voi(level, _spanning((low, high)), f"{words} ({voi.name or 'pipeline'})")
    span = (float(inside.min()), float(inside.max()))
    if voi.kind == "window" and voi.center is not None and voi.width is not None:
        words = f"window {voi.center:g}/{voi.width:g} LINEAR ({voi.name or 'pipeline'})"
        return _Voi(linear(modality, voi.center, voi.width), (voi.center, voi.width), words)
    if voi.kind == "full-range":
        return _full_range(modality, span, "")
    return _voi_table(ds, modality, span) if ds.get("VOILUTSequence") else _header_window(ds, modality, span, voi.index)


def _header_window(ds: Dataset, modality: NDArray[np.float64], span: tuple[float, float], index: int) -> _Voi:
    """Window number ``index`` of the header (PS3.3 C.11.2.1.2), else the full range and why."""
    centers, widths = numbers_of(ds, "WindowCenter"), numbers_of(ds, "WindowWidth")
    if not centers and not widths:
        return _full_range(modality, span, " (no window in the header)")
    if index >= min(len(centers), len(widths)):
        return _full_range(modality, span, f" (the header has no window number {index + 1})")
    center, width = centers[index], widths[index]
    if not np.isfinite([center, width]).all() or width <= 0:
        return _full_range(modality, span, " (the window in the header has no width)")
    name, remark = text_of(ds, "VOILUTFunction").upper() or "LINEAR", ""
    if name not in _FUNCTIONS:
        name, remark = "LINEAR", ", its VOI LUT Function is unknown"
    if name == "LINEAR" and width < 1:
        name, remark = "LINEAR_EXACT", remark + ", as a width below 1 has no LINEAR"
    words = f"window {center:g}/{width:g} {name} (header, {index + 1} of {min(len(centers), len(widths))}{remark})"
    return _Voi(_FUNCTIONS[name](modality, center, width), (center, width), words)


def _voi_table(ds: Dataset, modality: NDArray[np.float64], span: tuple[float, float]) -> _Voi:
    """The first VOI LUT (PS3.3 C.11.2.1.1), scaled by the bits that its descriptor promises."""
    level = _through_table(apply_voi, modality, ds, "VOI LUT")
    bits = min(16.0, max(1.0, numbers_of(ds.VOILUTSequence[0], "LUTDescriptor")[2]))
    return _Voi(np.clip(level / (2**bits - 1), 0, 1), _spanning(span), "VOI LUT (header)")


def _full_range(modality: NDArray[np.float64], span: tuple[float, float], why: str) -> _Voi:
    low, high = span
    level = np.clip((modality - low) / ((high - low) or 1.0), 0, 1)
    return _Voi(level, _spanning(span), f"full range {low:g} .. {high:g}{why}")


def _spanning(span: tuple[float, float]) -> tuple[float, float]:
    """(centre, width) of a window that covers ``span``; width 1 for a constant image."""
    low, high = span
    return (low + high) / 2, (high - low) or 1.0
