"""The mark of an institution: a small picture at the top of every page."""

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from reportlab.lib.utils import ImageReader

MOST_BYTES = 2_000_000
MOST_PIXELS = 4096
"""A side of the file's picture has at most this many pixels."""

_KEPT = (720, 240)  # pixels; three times what a page shows of it, in points
_FLATTEST = 12  # times as wide as high, or as high as wide
_FORMATS = ("PNG", "JPEG")


@dataclass(frozen=True)
class Logo:
    """A picture as it is set into a report: PNG, small, with nothing but its pixels."""

    png: bytes
    width: int
    height: int

    @cached_property
    def reader(self) -> ImageReader:
        """What reportlab draws."""
        return ImageReader(BytesIO(self.png))

    @property
    def address(self) -> str:
        """The picture itself as the address of an HTML image."""
        return f"data:image/png;base64,{b64encode(self.png).decode('ascii')}"

    def fitted(self, width: float, height: float) -> tuple[float, float]:
        """(width, height) that keeps the sides' ratio within a box."""
        scale = min(width / self.width, height / self.height)
        return self.width * scale, self.height * scale


def read_logo(path: Path) -> Logo:
    """A PNG or JPEG file as a logo; what else lies in the file (camera, place, author) is left behind.

    Raises
    ------
    ValueError
        There is no such file, it is no PNG or JPEG, or it is too large or too flat; the message says what is expected.

    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"logo {path.name!r}: expected a readable PNG or JPEG file; got: {error.strerror}"
        raise ValueError(msg) from error
    if len(data) > MOST_BYTES:
        msg = f"logo {path.name!r}: expected at most {MOST_BYTES} bytes; got {len(data)}; save a smaller picture"
        raise ValueError(msg)
    try:
        return _small(path.name, data)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        msg = f"logo {path.name!r}: expected a PNG or JPEG picture that can be read; save it again as PNG"
        raise ValueError(msg) from error


def _small(name: str, data: bytes) -> Logo:
    with Image.open(BytesIO(data), formats=_FORMATS) as picture:
        width, height = picture.size
        if max(width, height) > MOST_PIXELS or max(width, height) > _FLATTEST * min(width, height):
            msg = (
                f"logo {name!r}: expected sides of at most {MOST_PIXELS} pixels, one at most {_FLATTEST} times the "
                f"other; got {width} by {height}"
            )
            raise ValueError(msg)
        pixels = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    pixels.thumbnail(_KEPT, Image.Resampling.LANCZOS)
    stream = BytesIO()
    Image.frombytes(pixels.mode, pixels.size, pixels.tobytes()).save(stream, "PNG")
    return Logo(stream.getvalue(), *pixels.size)
