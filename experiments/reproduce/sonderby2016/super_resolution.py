"""Sharp images of coarse ones: a GAN has the details that a mean lacks.

Many images have the same coarse image. The network of least squared error makes
their mean, whose details have less energy than those of each image:

  E |E[x | y]|^2 = E |x|^2 - E |x - E[x | y]|^2.

A GAN makes one of the images. Both networks' outputs are projected onto the
images whose coarse image is the given one, so only details differ. The energy
of details is that of frequencies above half a cycle per coarse pixel, on unseen
images. The mean has the higher signal-to-noise ratio nevertheless.

The publication trains on faces and textures, for much longer.

Source: Sonderby, Caballero, Theis, Shi and Huszar, Amortised MAP Inference for
Image Super-resolution, arXiv 1610.04490.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import paired_images, pictures
from experiments.reproduce.common.checks import Check, at_least, at_most
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)

MEAN, GAN = "squared error", "GAN"
_GAMES = {MEAN: {"adversarial_weight": 0.0}, GAN: {}}
_PHOTOGRAPHS = {"dataset": "cifar10", "image_size": 32, "image_channels": 3}
DATA = {"garments, 7 to 28": {}, "photographs, 8 to 32": _PHOTOGRAPHS}
STEPS = 1000
LARGEST_ERROR = 1e-5


def _checks(of: str, mean, gan) -> list[Check]:
  """Compares the two networks on a dataset."""
  energies, ratios, errors = (
    [paired_images.final(run, name) for run in (mean, gan)]
    for name in ("high_frequency_ratio", "psnr", "condition_error")
  )
  return [
    at_most(
      f"{of}: largest error of a coarse pixel",
      float(np.max(errors)),
      LARGEST_ERROR,
      "the projection is exact",
    ),
    at_most(
      f"{of}: energy of details, {MEAN}, of the data's",
      energies[0],
      0.8,
      "less than 1 by the variance under the condition; 0.8 set before the "
      "first run",
      margin=0.1,
    ),
    at_least(
      f"{of}: energy of details, {GAN} minus {MEAN}, of the data's",
      energies[1] - energies[0],
      0.2,
      "the publication's claim; 0.2 set before its first result",
      margin=0.1,
    ),
    at_least(
      f"{of}: nearness to the data's energy, gained by the {GAN}",
      np.abs(energies[0] - 1) - np.abs(energies[1] - 1),
      0.1,
      "the publication's claim; 0.1 set before its first result",
      margin=0.1,
    ),
    at_least(
      f"{of}: signal-to-noise ratio, {MEAN} minus {GAN} (dB)",
      ratios[0] - ratios[1],
      0.0,
      "no other function has a smaller squared error than the mean",
      margin=0.5,
    ),
  ]


def compute(inputs: Inputs) -> Computed:
  """Compares the networks of both datasets."""
  checks, drawn = [], {}
  for of in DATA:
    runs = {game: inputs.runs[f"{of}, {game}"] for game in _GAMES}
    checks += _checks(of, *runs.values())
    drawn[of] = paired_images.panels(
      runs, "coarse", "high_frequency_ratio", "{:.2f} of the details' energy"
    )
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws coarse images, what both networks make of them, and the originals."""
  columns = len(_GAMES) + 2
  figure, axes = curves.grid(len(drawn) * columns, columns, (10, 5.7))
  pictures.headline(figure, "details that a mean lacks")
  for row, (of, panels) in enumerate(drawn.items()):
    for index, (title, pixels) in enumerate(panels.items()):
      text = f"{of}\n{title}" if index == 0 else title
      pictures.show_images(axes[row * columns + index], pixels, None, text)
  return figure


REPRODUCTION = Reproduction(
  id="super_resolution",
  source="AffGAN 2016, arXiv 1610.04490",
  summary="a GAN has the details that the mean of images lacks",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings={
    f"{of}, {game}": Training(
      "super_resolution",
      {**data, **of_game, **paired_images.SMALL, "steps": STEPS},
      paired_images.NUM_SEEDS,
    )
    for of, data in DATA.items()
    for game, of_game in _GAMES.items()
  },
)
