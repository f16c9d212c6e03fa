"""What is kept of an image: allow-listed facts and a reading copy of the pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One audited image (one frame of one SOP instance).

    Codes are pseudonyms unless the site keeps identifiers. ``elements`` holds allow-listed DICOM
    elements only, keyed by DICOM keyword. ``frame`` is 0-based. ``rows`` and ``columns`` are the
    stored image's. Spacings are (row, column) in mm; ``imager_pixel_spacing`` (0018,1164) is
    measured at the detector and is never used in the place of ``pixel_spacing`` (0028,0030).
    ``patient_orientation`` is (direction of a row, direction of a column), e.g. ("L", "F").
    """

    study: str
    series: str
    image: str
    frame: int
    rows: int
    columns: int
    elements: Mapping[str, str]
    transfer_syntax: str
    decoder: str
    display: str
    pixel_sha256: str
    patient_orientation: tuple[str, str] | None = None
    pixel_spacing: tuple[float, float] | None = None
    imager_pixel_spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or self.frame < 0:
            got = (self.rows, self.columns, self.frame)
            msg = f"ImageRecord: expected rows, columns >= 1 and frame >= 0; got {got}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class ReadingCopy:
    """The picture that the report and the viewer show, at a size fit for a screen.

    ``shown`` is uint8 (h, w) or (h, w, 3): the display pipeline's output, which is what the model's
    preprocessing started from; brighter is always brighter, MONOCHROME1 already inverted.
    ``values`` is uint16 (h, w), with modality values ``values * slope + intercept``, for window
    controls; None for colour images. ``window`` is (centre, width) in modality values. Where
    ``inverted``, high modality values are dark (MONOCHROME1).
    """

    shown: NDArray[np.uint8]
    values: NDArray[np.uint16] | None = None
    slope: float = 1.0
    intercept: float = 0.0
    window: tuple[float, float] | None = None
    inverted: bool = False

    def __post_init__(self) -> None:
        if self.shown.dtype != np.uint8 or self.shown.ndim not in (2, 3) or self.shown.shape[2:] not in ((), (3,)):
            got = f"{self.shown.dtype} {self.shown.shape}"
            msg = f"ReadingCopy.shown: expected uint8 (h, w) or (h, w, 3); got {got}"
            raise ValueError(msg)
        if self.values is not None and (
            self.values.dtype != np.uint16 or self.values.shape != self.shown.shape[:2] or self.window is None
        ):
            got = f"{self.values.dtype} {self.values.shape}, window {self.window}"
            msg = f"ReadingCopy.values: expected uint16 {self.shown.shape[:2]} and a window; got {got}"
            raise ValueError(msg)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.shown.shape[0], self.shown.shape[1]

    def windowed(self, center: float, width: float) -> NDArray[np.uint8]:
        """uint8 (h, w) under another window, LINEAR_EXACT (PS3.3 C.11.2.1.3.2); needs ``values``."""
        if self.values is None:
            msg = "ReadingCopy.windowed: expected stored values; a colour image has none"
            raise ValueError(msg)
        if width <= 0:
            msg = f"ReadingCopy.windowed: expected width > 0; got {width}"
            raise ValueError(msg)
        modality = self.values.astype(np.float32) * np.float32(self.slope) + np.float32(self.intercept)
        level = np.clip((modality - (center - width / 2)) / width, 0, 1)
        return np.asarray(np.rint(255 * (1 - level if self.inverted else level)), dtype=np.uint8)
