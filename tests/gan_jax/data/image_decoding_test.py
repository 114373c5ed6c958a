"""Tests that images of any kind and size are decoded to square pixels."""

import io
import zlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image, PngImagePlugin

from gan_jax.data import image_decoding
from tests.gan_jax.data.image_folders import (
  encode,
  png,
)


class DecodeTest(parameterized.TestCase):
  @parameterized.parameters(32, 64)
  def test_enlarging_keeps_a_ramp(self, size):
    # Cubic interpolation is exact on polynomials of degree one: with pixels at
    # their centres, x' = (x + 1/2) 28 / size - 1/2, away from the border.
    ramp = np.broadcast_to(9 * np.arange(28, dtype=np.uint8), (28, 28))
    expected = 9 * ((np.arange(size) + 0.5) * 28 / size - 0.5)
    result = image_decoding.decode(np.ascontiguousarray(ramp), size, 1)
    expected = np.broadcast_to(expected, (size, size))
    inner = slice(size // 8, -size // 8)
    np.testing.assert_allclose(result[:, inner, 0], expected[:, inner], atol=1)

  def test_shrinking_averages(self):
    # Single pixels of a chequerboard are 0 or 255; their mean is 127.5.
    board = 255 * (np.indices((64, 64)).sum(axis=0) % 2).astype(np.uint8)
    result = image_decoding.decode(board, 8, 1)
    np.testing.assert_allclose(result.astype(float), 127.5, atol=3)

  @parameterized.parameters(((30, 90),), ((90, 30),))
  def test_the_middle_is_cut_out(self, shape):
    thirds = np.zeros((*shape, 3), np.uint8)
    axis = shape.index(90)
    for channel in range(3):
      part = [slice(None), slice(None)]
      part[axis] = slice(30 * channel, 30 * channel + 30)
      thirds[(*part, channel)] = 255
    result = image_decoding.decode(png(thirds), 30, 3)
    np.testing.assert_array_equal(
      result, np.broadcast_to(np.asarray([0, 255, 0]), (30, 30, 3))
    )

  def test_kinds_of_files(self):
    def solid(mode, colour):
      return Image.new(mode, (16, 16), colour)

    palette = solid("P", 1)
    palette.putpalette([9, 9, 9, 200, 100, 50])
    cases = {
      "grey": (encode(solid("L", 77), "PNG"), (77, 77, 77)),
      "colour": (encode(solid("RGB", (1, 2, 3)), "PNG"), (1, 2, 3)),
      "bits": (encode(solid("1", 1), "PNG"), (255, 255, 255)),
      "palette": (encode(palette, "PNG"), (200, 100, 50)),
      "gif": (encode(palette, "GIF"), (200, 100, 50)),
      # Whole transparency shows the white below.
      "clear palette": (encode(palette, "PNG", transparency=1), (255,) * 3),
      "clear": (encode(solid("RGBA", (9, 8, 7, 0)), "PNG"), (255,) * 3),
      # (51 * 10 + 204 * 255) / 255 = 206.
      "fifth": (encode(solid("RGBA", (10, 10, 10, 51)), "PNG"), (206,) * 3),
      "grey fifth": (encode(solid("LA", (10, 51)), "PNG"), (206,) * 3),
      # Ink: 255 (1 - c)(1 - k).
      "cmyk": (encode(solid("CMYK", (255, 0, 0, 0)), "JPEG"), (0, 255, 255)),
      "webp": (
        encode(solid("RGB", (50, 100, 150)), "WEBP", lossless=True),
        (50, 100, 150),
      ),
    }
    for name, (content, colour) in cases.items():
      with self.subTest(name):
        result = image_decoding.decode(content, 8, 3)
        self.assertEqual(result.dtype, np.uint8)
        np.testing.assert_allclose(
          result, np.broadcast_to(np.uint8(colour), (8, 8, 3)), atol=1
        )
        # ITU-R 601.
        grey = np.dot(colour, [0.299, 0.587, 0.114])
        np.testing.assert_allclose(
          image_decoding.decode(content, 8, 1),
          np.full((8, 8, 1), grey),
          atol=1,
        )

  def test_16_bits_are_rounded_to_8(self):
    # 65535 = 257 * 255.
    ramp = 257 * np.arange(256, dtype=np.uint16).reshape(16, 16)
    content = encode(Image.fromarray(ramp), "PNG")
    np.testing.assert_array_equal(
      image_decoding.decode(content, 16, 1).ravel(), np.arange(256)
    )

  @parameterized.parameters("TGA", "AVIF", "JPEG2000", "PPM", "DIB", "TIFF")
  def test_less_common_formats(self, kind):
    content = encode(Image.new("RGB", (16, 16), (50, 100, 150)), kind)
    with image_decoding.decoding():
      result = image_decoding.decode(content, 8, 3)
    np.testing.assert_allclose(
      result, np.broadcast_to([50, 100, 150], (8, 8, 3)), atol=3
    )
    # A file without a suffix is known by its first bytes, if they say it.
    known = image_decoding.is_image(io.BytesIO(content))
    self.assertEqual(known, kind != "TGA")

  @parameterized.parameters(
    # Bits of a TIFF's pixels, a value, and the byte it becomes.
    (16, 65535, 255),
    (16, 32896, 128),
    (32, 70000, None),
    (32, 200, None),
  )
  def test_whole_numbers_of_a_tiff(self, bits, value, expected):
    array = np.full((8, 8), value, np.uint16 if bits == 16 else np.int32)
    content = encode(Image.fromarray(array), "TIFF")
    pixels, reason = image_decoding.try_decode(lambda: content, 8, 1)
    if expected is None:
      self.assertIsNone(pixels)
      self.assertIn("32 bits", reason)
    else:
      np.testing.assert_array_equal(pixels, np.full((8, 8, 1), expected))

  def test_large_texts_and_profiles_do_not_matter(self):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "x" * 2**21, zip=True)
    image = Image.new("L", (8, 8), 99)
    profile = zlib.compress(b"")  # Not a profile that Pillow reads.
    for content in (
      encode(image, "PNG", pnginfo=chunks),
      encode(image, "PNG", icc_profile=bytes(2**21) + profile),
    ):
      with image_decoding.decoding():
        pixels, reason = image_decoding.try_decode(lambda c=content: c, 8, 1)
      self.assertIsNotNone(pixels, reason)
      np.testing.assert_array_equal(pixels, np.full((8, 8, 1), 99))

  def test_a_photo_is_turned_as_the_camera_says(self):
    # Orientation 6: the top of the scene is the right side of the file.
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(Image.fromarray(pixels), "JPEG", quality=100, exif=exif)
    # A turn by 90 degrees clockwise brings the file's left side to the top.
    np.testing.assert_allclose(
      image_decoding.decode(content, 16, 1)[..., 0].astype(float),
      np.rot90(pixels, -1),
      atol=3,
    )

  @parameterized.parameters((False, (6000, 4000)), (True, (750, 500)))
  def test_a_huge_jpeg(self, fast, size):
    ramp = np.broadcast_to(
      np.linspace(0, 255, 6000).astype(np.uint8), (4000, 6000)
    )
    content = encode(Image.fromarray(np.ascontiguousarray(ramp)), "JPEG")
    decoded = []
    fit = image_decoding.ImageOps.fit

    def spy(image, *args):
      decoded.append(image.size)
      return fit(image, *args)

    with mock.patch.object(image_decoding.ImageOps, "fit", spy):
      result = image_decoding.decode(content, 32, 1, fast)
    self.assertEqual(decoded, [size])
    # The middle 4000 of 6000 columns: 42.5 to 212.5.
    expected = 42.5 + 170 * (np.arange(32) + 0.5) / 32
    np.testing.assert_allclose(
      result[..., 0], np.broadcast_to(expected, (32, 32)), atol=2
    )

  def test_a_jpeg_is_what_its_pixels_are(self):
    noise = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)
    content = encode(Image.fromarray(noise), "JPEG")
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(
      image_decoding.decode(content, 32, 1),
      image_decoding.decode(pixels, 32, 1),
    )


if __name__ == "__main__":
  absltest.main()
