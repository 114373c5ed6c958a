"""Draws runs on images: samples over time, beside real ones, animated.

The latents are the same at every step, so each position in a grid shows how one
sample changes.
"""

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from experiments.plots import curves
from experiments.run_folder.results import Results

COLUMNS = 8
"""Columns of pictures of many images."""


def class_columns(num_classes: int) -> int:
  """Returns how many columns show classes in turn, each column one of them."""
  return num_classes * max(1, COLUMNS // num_classes)


def mosaic(images: np.ndarray, columns: int | None = None) -> np.ndarray:
  """Lays images, uint8 [n, h, w, c], out in rows with a white pixel between.

  By default there are as many columns as rows. Empty positions are white.
  """
  n, h, w, c = images.shape
  columns = columns or math.ceil(math.sqrt(n))
  rows = -(-n // columns)
  page = np.full((rows * columns, h + 1, w + 1, c), 255, np.uint8)
  page[:n, :h, :w] = images
  page = page.reshape(rows, columns, h + 1, w + 1, c).swapaxes(1, 2)
  return page.reshape(rows * (h + 1), columns * (w + 1), c)[:-1, :-1]


def samples_over_time(results: Results) -> Figure:
  """Draws a seed's samples of the same latents at six steps."""
  seed, name = _shown_seed(results)
  steps = results.snapshots["step"]
  frames = curves.choose_frames(len(steps), 6)
  columns = min(3, len(frames))
  rows = -(-len(frames) // columns)
  height = 0.2 + 2.9 * _page_height(results)
  figure, panels = curves.grid(len(frames), columns, (9, height * rows + 0.7))
  curves.title(figure, results, f"generated samples, {name}")
  for axes, frame in zip(panels, frames, strict=True):
    show(axes, _page(results, results.snapshots["samples"][seed, frame]))
    axes.set_title(f"step {steps[frame]:,}", fontsize=9)
  return figure


def real_beside_generated(results: Results) -> Figure:
  """Draws real images and a seed's last samples, side by side."""
  seed, seed_name = _shown_seed(results)
  step = results.snapshots["step"][-1]
  height = 4.4 * _page_height(results)
  figure, panels = curves.grid(2, 2, (9, height + 1.0))
  curves.title(figure, results, "real and generated images")
  for axes, images, name in zip(
    panels,
    (results.snapshots["data_samples"], results.snapshots["samples"][seed, -1]),
    ("real", f"generated, {seed_name}, step {step:,}"),
    strict=True,
  ):
    show(axes, _page(results, images))
    axes.set_title(name, fontsize=9)
  return figure


def generated_from_conditions(results: Results) -> Figure:
  """Draws conditions, what a seed made of them at last, and the originals."""
  seed, seed_name = _shown_seed(results)
  step = results.snapshots["step"][-1]
  height = 4.0 * _page_height(results)
  figure, panels = curves.grid(3, 3, (12, height + 1.0))
  curves.title(figure, results, "images from images")
  for axes, images, name in zip(
    panels,
    (
      results.snapshots["conditions"],
      results.snapshots["samples"][seed, -1],
      results.snapshots["data_samples"],
    ),
    ("condition", f"generated, {seed_name}, step {step:,}", "original"),
    strict=True,
  ):
    show(axes, _page(results, images))
    axes.set_title(name, fontsize=9)
  return figure


def animation(results: Results) -> Iterator[Image.Image]:
  """Animates a seed's samples, 480 by 540 pixels."""
  seed, name = _shown_seed(results)
  samples = results.snapshots["samples"][seed]
  figure, (axes,) = curves.grid(1, 1, (4.8, 5.4))
  curves.title(figure, results, f"training of {name}")
  shown = show(axes, _page(results, samples[0]))

  def update(frame: int) -> None:
    shown.set_data(coloured(_page(results, samples[frame])))

  yield from curves.animate(figure, results, [shown], update)


def _shown_seed(results: Results) -> tuple[int, str]:
  """Chooses the first seed with samples that has not failed, if there is one.

  Returns:
    Its index and its name.
  """
  failed = curves.failed(results)[: len(results.snapshots["samples"])]
  index = int(np.argmin(failed))
  name = f"seed {results.seeds[index]}"
  return index, f"{name}, which failed" if failed[index] else name


def _page(results: Results, images: np.ndarray) -> np.ndarray:
  """Lays out a run's images, a class in each column where it has classes."""
  return mosaic(images, int(results.snapshots["columns"]))


def _page_height(results: Results) -> float:
  """Returns the height of a run's page of images over its width."""
  page = _page(results, results.snapshots["data_samples"])
  return page.shape[0] / page.shape[1]


def show(axes: Axes, image: np.ndarray) -> AxesImage:
  """Shows an image without axes."""
  axes.set_axis_off()
  return axes.imshow(coloured(image), interpolation="nearest")


def coloured(image: np.ndarray) -> np.ndarray:
  """Repeats a grey image [h, w, 1] to [h, w, 3]; returns RGB unchanged."""
  return np.broadcast_to(image, (*image.shape[:2], 3))
