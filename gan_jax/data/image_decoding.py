"""From the bytes of any image file to a small square of pixels."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# What Pillow may open: a suffix alone must not start an interpreter (EPS).
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


def decode(raw: bytes | np.ndarray, size: int, channels: int) -> np.ndarray:
  """Decodes an image: the middle square, scaled to size x size.

  Transparency is laid on white, colours become grey by ITU-R 601 luma, and
  scaling averages over the pixels it merges (bicubic). What has the right size
  and channels keeps its bits.

  Args:
    raw: a file's bytes, or uint8 [h, w] or [h, w, 3].
    size: of the result.
    channels: 1 or 3.

  Returns:
    uint8 [size, size, channels].

  Raises:
    Exception: whatever Pillow makes of a damaged file.
  """
  if isinstance(raw, bytes):
    image = Image.open(io.BytesIO(raw), formats=_FORMATS)
    # A JPEG is decoded at a fraction of its size, if it is much too large.
    image.draft(None, (2 * size, 2 * size))
    image = ImageOps.exif_transpose(image)
  else:
    image = Image.fromarray(raw)
  if image.mode == "F":
    raise ValueError("its pixels are floats, whose range is unknown")
  if image.mode.startswith("I"):
    # Pillow would cut off what exceeds a byte.
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
  """Decodes what is read, or says why not: (pixels or None, reason)."""
  try:
    return decode(read(), size, channels), ""
  except UnidentifiedImageError:
    return None, "it is not an image of a known format"
  except Exception as error:
    # Decoders raise whatever a damaged file leads them to.
    return None, " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def decoding() -> Iterator[None]:
  """Settles Pillow's plugins and warnings for threads that will decode."""
  # Otherwise the threads would load them, each getting in the others' way.
  Image.init()
  with warnings.catch_warnings():
    # Damaged metadata of an image whose pixels are whole.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    yield
