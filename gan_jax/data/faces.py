"""Cartoon faces drawn from seeds, a dataset that needs no download.

DiceBear draws the style Lorelei by Lisa Wischofsky, which is in the public
domain (CC0 1.0, https://www.dicebear.com/styles/lorelei), with the colours
below. A seed always gives exactly the same face.
"""

import contextlib
import functools
import importlib.metadata
import importlib.resources
import json
from pathlib import Path

import numpy as np

from gan_jax.data.image_source import (
  Contents,
  Example,
  ImagesError,
  Source,
  Sources,
)

CLASS_NAMES = ("fair", "dark", "fair with glasses", "dark with glasses")
"""Class names by label: the skin's colour and whether the face has glasses."""
# Drawing both splits takes two minutes; threads do not help, as drawing and
# rendering hold Python's global lock.
NUM_IMAGES = {"train": 30_000, "test": 5_000}

_PACKAGES = ("dicebear-core", "dicebear-styles", "resvg-py")
_STYLE = "lorelei.json"
# The face fills the square, with only the tips of long hair cut off.
_SCALE = 1.3
_FAIR_SKINS = ("#ffe3cf", "#f6c9a4", "#e0a678")
# Lines are black, so darker skins than these would hide the mouth.
_DARK_SKINS = ("#c68a5c", "#a86f46", "#8c5a3c")
_COLOURS = {
  "background": (
    *("#b6e3f4", "#c0aede", "#d1d4f9", "#ffd5dc"),
    *("#ffdfbf", "#c9e4ca", "#f4e1a1", "#8fb8de"),
  ),
  "hair": (
    *("#2a1b14", "#5b3a29", "#8d5a35", "#c58b4a", "#e8c468", "#efe3d0"),
    *("#9aa0a8", "#b5432a", "#d96b8c", "#7d5ba6", "#3d6fb5", "#3f9b8f"),
  ),
  "skin": _FAIR_SKINS + _DARK_SKINS,
}
# Percentages.
_PROBABILITIES = {"glasses": 50, "beard": 0}

COLOURED = ("background", "hair", "skin")
SHAPED = ("hair", "head", "eyes", "eyebrows", "nose", "mouth", "glasses")
"""Parts of a face whose colours or shapes are its attributes."""


def sources(size: int) -> Sources:
  """Returns the sources of faces, which are drawn when they are read.

  The splits have different seeds, and `size` is the images' height and width.

  Raises:
    ImagesError: if the drawing packages are not installed.
  """
  try:
    versions = [importlib.metadata.version(name) for name in _PACKAGES]
  except importlib.metadata.PackageNotFoundError as error:
    raise ImagesError(
      f"dataset faces needs the package {error.name}: pip install -e '.[faces]'"
    ) from error

  def source(split):
    num_images = NUM_IMAGES[split]

    def examples(start, stop):
      names = [f"{split} {number}" for number in range(start, stop)]
      faces = [draw(name) for name in names]
      return [
        Example(name, functools.partial(render, svg, size), label)
        for name, (svg, label) in zip(names, faces, strict=True)
      ]

    contents = Contents(num_images, examples, CLASS_NAMES)
    return Source(
      Path(_STYLE),
      [versions, num_images, _SCALE, _COLOURS, _PROBABILITIES, CLASS_NAMES],
      lambda: contextlib.nullcontext(contents),
    )

  return Sources(source("train"), source("test"))


def draw(seed: str) -> tuple[str, int]:
  """Draws the face of a seed; returns an SVG and the label in CLASS_NAMES."""
  avatar = _avatar(seed)
  chosen = avatar["options"]
  (skin,) = chosen["skinColor"]
  has_glasses = "glassesVariant" in chosen
  return avatar["svg"], 2 * has_glasses + (skin in _DARK_SKINS)


def attribute_sizes() -> tuple[int, ...]:
  """Returns the number of values of each attribute of a face."""
  return tuple(map(len, _attribute_values().values()))


def attributes(split: str) -> np.ndarray:
  """Returns the attributes of the faces of a split, int32 [n, attributes].

  They are the colours and shapes of the parts that a seed chooses, and say more
  of a face than its class. All faces are drawn for it, in about a minute.
  """
  values = _attribute_values()
  return np.array(
    [
      [values[name].index(value) for name, value in chosen.items()]
      for chosen in (
        _chosen(f"{split} {number}") for number in range(NUM_IMAGES[split])
      )
    ],
    np.int32,
  )


def _chosen(seed: str) -> dict[str, str]:
  """Returns the value of each attribute of a face; "" is a missing part."""
  options = _avatar(seed)["options"]
  colours = {f"{part}Color": options[f"{part}Color"][0] for part in COLOURED}
  shapes = {f"{part}Variant": options.get(f"{part}Variant") for part in SHAPED}
  return colours | {name: shape or "" for name, shape in shapes.items()}


def _attribute_values() -> dict[str, list[str]]:
  """Returns all values that each attribute can have."""
  components = _definition()["components"]
  colours = {f"{part}Color": list(_COLOURS[part]) for part in COLOURED}
  shapes = {
    f"{part}Variant": list(components[part]["variants"]) for part in SHAPED
  }
  return colours | {name: ["", *shape] for name, shape in shapes.items()}


def _avatar(seed: str):
  """Draws the face of a seed; returns its SVG and its options."""
  from dicebear import Avatar

  return Avatar(_style(), {"seed": seed, "scale": _SCALE}).to_json()


def render(svg: str, size: int) -> bytes:
  """Renders an SVG to a PNG of size x size pixels."""
  import resvg_py

  # Searching for system fonts takes longer than rendering the face.
  return resvg_py.svg_to_bytes(
    svg, width=size, height=size, skip_system_fonts=True
  )


@functools.cache
def _style():
  """Returns the style as the drawing package reads it."""
  from dicebear import Style

  return Style(_definition())


@functools.cache
def _definition():
  """Returns the style with the colours and probabilities of this module."""
  path = importlib.resources.files("dicebear_styles") / _STYLE
  definition = json.loads(path.read_text("utf-8"))
  # The same settings as options of each avatar would be validated every time.
  for part, colours in _COLOURS.items():
    definition["colors"][part] = {"values": list(colours)}
  for part, probability in _PROBABILITIES.items():
    definition["components"][part]["probability"] = probability
  return definition
