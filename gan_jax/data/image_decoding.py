"""Decoding of image files to square images of a given size."""

import contextlib
import importlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

# The formats that Pillow may open. Without them it would start an interpreter
# for a file that is EPS, whatever its suffix.
_FORMATS = (
  *("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "AVIF"),
  *("JPEG2000", "HEIF", "TGA"),
)
HEIF_SUFFIXES = (".heic", ".heif")
_HAS_HEIF = importlib.util.find_spec("pillow_heif") is not None
SUFFIXES = (
  *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib"),
  *(".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif"),
  *(".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".tga", ".mpo"),
  *(HEIF_SUFFIXES if _HAS_HEIF else ()),
)
"""Suffixes of image files, in lower case."""
_PNG_TEXT_BYTES = 2**28
"""Pillow refuses PNGs whose texts or colour profiles are above 1 MB."""
_BITS_PER_SAMPLE = 258
"""TIFF's tag of the bits of a channel."""


def is_image(file: Path | io.BytesIO) -> bool:
  """Tells whether a file begins like an image."""
  # TGA has no signature, so any file may look like one.
  formats = [each for each in _formats() if each != "TGA"]
  try:
    with Image.open(file, formats=formats):
      return True
  except Exception:
    # Files that are no images raise many kinds of exceptions.
    return False


def size_of(raw: bytes | np.ndarray) -> tuple[int, int] | None:
  """Returns height and width of an image; None if it cannot be read."""
  if isinstance(raw, np.ndarray):
    return raw.shape[0], raw.shape[1]
  try:
    with Image.open(io.BytesIO(raw), formats=_formats()) as image:
      return image.height, image.width
  except Exception:
    # It is skipped with its reason when it is decoded.
    return None


def _formats() -> list[str]:
  """Lists the formats that this installation of Pillow can open."""
  Image.init()
  return [each for each in _FORMATS if each in Image.OPEN]


def decode(
  raw: bytes | np.ndarray, size: int, channels: int, fast: bool = False
) -> np.ndarray:
  """Decodes an image and scales its central square to size x size.

  Transparent images are composited on white, grey is ITU-R 601 luma, and
  scaling is bicubic with antialiasing. Images that have the right size and
  channels keep their exact pixels.

  Args:
    raw: a file's bytes, or uint8 [h, w] or [h, w, 3].
    size: height and width of the result.
    channels: 1 or 3.
    fast: whether a JPEG that is much too large is decoded at a fraction of its
      size. That takes less time and memory, and moves pixels by up to 14.

  Returns:
    uint8 [size, size, channels].

  Raises:
    Exception: any exception of Pillow for a damaged file.
  """
  if isinstance(raw, bytes):
    image = Image.open(io.BytesIO(raw), formats=_formats())
    white = _white(image)
    if fast:
      image.draft(None, (2 * size, 2 * size))
    image = ImageOps.exif_transpose(image)
  else:
    image, white = Image.fromarray(raw), 255
  if image.mode == "F":
    raise ValueError("its pixels are floats, whose range is unknown")
  if image.mode.startswith("I"):
    # Pillow would clip values above 255.
    if white is None:
      raise ValueError("its pixels have 32 bits, whose range is unknown")
    wide = np.clip(np.asarray(image) / white, 0, 1)
    image = Image.fromarray(np.round(255 * wide).astype(np.uint8))
  elif image.has_transparency_data:
    background = Image.new("RGBA", image.size, "white")
    background.alpha_composite(image.convert("RGBA"))
    image = background
  image = image.convert("L" if channels == 1 else "RGB")
  image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
  return np.asarray(image).reshape(size, size, channels)


def _white(image: Image.Image) -> int | None:
  """Returns white of wide grey pixels; None if it is unknown."""
  bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0]
  return 2**bits - 1 if bits <= 16 else None


def try_decode(
  read: Callable[[], bytes | np.ndarray],
  size: int,
  channels: int,
  fast: bool = False,
) -> tuple[np.ndarray | None, str]:
  """Reads and decodes an image; returns (pixels, "") or (None, the reason)."""
  try:
    return decode(read(), size, channels, fast), ""
  except UnidentifiedImageError:
    return None, "it is not an image of a known format"
  except Exception as error:
    # Decoders raise many kinds of exceptions for damaged files.
    return None, " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def decoding() -> Iterator[None]:
  """Loads Pillow's plugins and sets its warnings for decoding in threads."""
  # Otherwise every thread would load the plugins, and they would block each
  # other.
  Image.init()
  if _HAS_HEIF:
    importlib.import_module("pillow_heif").register_heif_opener()
  with contextlib.ExitStack() as stack:
    for name in ("MAX_TEXT_CHUNK", "MAX_TEXT_MEMORY"):
      limit = getattr(PngImagePlugin, name)
      stack.callback(setattr, PngImagePlugin, name, limit)
      setattr(PngImagePlugin, name, _PNG_TEXT_BYTES)
    stack.enter_context(warnings.catch_warnings())
    # Damaged metadata does not matter if the pixels are intact.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    # What it logs of files that it cannot read is said once, with the reason.
    logger = logging.getLogger("PIL")
    stack.callback(logger.setLevel, logger.level)
    logger.setLevel(logging.CRITICAL)
    yield
