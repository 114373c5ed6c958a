"""Colours of grey photographs: the distance alone makes them brownish.

A grey photograph has many colourings. The network of least absolute error makes
their median, which is nearly grey where the colour is open, so its colours are
distributed more narrowly than those of photographs. With a discriminator in the
cost the network makes one of the colourings. The publication measures this by
the intersection of the histograms of a* and b* with the data's, here of unseen
photographs.

The publication's histograms are of streets made of label maps, so its numbers
cannot be compared with these.

Source: Isola, Zhu, Zhou and Efros, Image-to-Image Translation with Conditional
Adversarial Networks, arXiv 1611.07004, section 4.2 and figure 7.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.reproduce.common import paired_images, pictures
from experiments.reproduce.common.checks import at_least, at_most
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)

DISTANCE, GAN = "distance alone", "with a discriminator"
_GAMES = {DISTANCE: {"adversarial_weight": 0.0}, GAN: {}}
STEPS = 1500


def compute(inputs: Inputs) -> Computed:
  """Compares the networks with and without a discriminator."""
  overlaps, ratios = (
    {game: paired_images.final(run, name) for game, run in inputs.runs.items()}
    for name in ("chroma_intersection", "psnr")
  )
  errors = [
    paired_images.final(run, "condition_error") for run in inputs.runs.values()
  ]
  return Computed(
    [
      at_most(
        "largest error of a grey value",
        float(np.max(errors)),
        1e-5,
        "colours are added to the given grey values",
      ),
      at_least(
        f"intersection of colours, {GAN} minus {DISTANCE}",
        overlaps[GAN] - overlaps[DISTANCE],
        0.05,
        "the publication's claim; 0.05 set before the first run",
        margin=0.05,
      ),
      at_least(
        f"signal-to-noise ratio, {DISTANCE} minus {GAN} (dB)",
        ratios[DISTANCE] - ratios[GAN],
        0.0,
        "the distance is all that this network learns by",
        margin=0.5,
      ),
    ],
    paired_images.panels(
      inputs.runs,
      "grey",
      "chroma_intersection",
      "overlap of colours {:.2f}",
    ),
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws grey photographs, their colourings, and the originals."""
  text = "colours of grey photographs: the distance alone leaves them out"
  return pictures.image_panels(text, drawn, (10, 3.1))


REPRODUCTION = Reproduction(
  id="colouring",
  source="pix2pix 2016, arXiv 1611.07004, figure 7",
  summary="colours of grey photographs, with and without a discriminator",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings={
    game: Training(
      "colouring",
      {**of_game, **paired_images.SMALL, "steps": STEPS},
      paired_images.NUM_SEEDS,
    )
    for game, of_game in _GAMES.items()
  },
)
