"""Decoding of image files to square images of a given size."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# The formats that Pillow may open. Without them it would start an interpreter
# for a file that is EPS, whatever its suffix.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


def decode(raw: bytes | np.ndarray, size: int, channels: int) -> np.ndarray:
  """Decodes an image and scales its central square to size x size.

  Transparent images are composited on white, grey is ITU-R 601 luma, and
  scaling is bicubic with antialiasing. Images that have the right size and
  channels keep their exact pixels.

  Args:
    raw: a file's bytes, or uint8 [h, w] or [h, w, 3].
    size: height and width of the result.
    channels: 1 or 3.

  Returns:
    uint8 [size, size, channels].

  Raises:
    Exception: any exception of Pillow for a damaged file.
  """
  if isinstance(raw, bytes):
    image = Image.open(io.BytesIO(raw), formats=_FORMATS)
    # A JPEG that is much too large is decoded at a fraction of its size.
    image.draft(None, (2 * size, 2 * size))
    image = ImageOps.exif_transpose(image)
  else:
    image = Image.fromarray(raw)
  if image.mode == "F":
    raise ValueError("its pixels are floats, whose range is unknown")
  if image.mode.startswith("I"):
    # Pillow would clip values above 255.
    wide = np.clip(np.asarray(image), 0, 65535)
    image = Image.fromarray(np.round(wide / 257).astype(np.uint8))
  elif image.has_transparency_data:
    background = Image.new("RGBA", image.size, "white")
    background.alpha_composite(image.convert("RGBA"))
    image = background
  image = image.convert("L" if channels == 1 else "RGB")
  image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
  return np.asarray(image).reshape(size, size, channels)


def try_decode(
  read: Callable[[], bytes | np.ndarray], size: int, channels: int
) -> tuple[np.ndarray | None, str]:
  """Reads and decodes an image; returns (pixels, "") or (None, the reason)."""
  try:
    return decode(read(), size, channels), ""
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
  with warnings.catch_warnings():
    # Damaged metadata does not matter if the pixels are intact.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    yield
