"""Garments from their edges: the discriminator keeps edges sharp.

The condition are Sobel edges. The network of least absolute error makes the
median of the garments with these edges; where they differ in brightness on one
side of an edge only, their median has a weaker edge. The measure is the overlap
of the edges of what is made with those that were asked for, on unseen garments.

The publication draws handbags and shoes from edges. Its comparison with the
distance alone is of streets and facades, which are drawn from labels.

Source: Isola, Zhu, Zhou and Efros, Image-to-Image Translation with Conditional
Adversarial Networks, arXiv 1611.07004, section 4.2 and figure 4.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from experiments.reproduce.common import paired_images, pictures
from experiments.reproduce.common.checks import at_least
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)

DISTANCE, GAN = "distance alone", "with a discriminator"
_GAMES = {DISTANCE: {"adversarial_weight": 0.0}, GAN: {}}
STEPS = 1000


def compute(inputs: Inputs) -> Computed:
  """Compares the networks with and without a discriminator."""
  overlaps, ratios = (
    {game: paired_images.final(run, name) for game, run in inputs.runs.items()}
    for name in ("edge_overlap", "psnr")
  )
  return Computed(
    [
      at_least(
        f"overlap of edges, {GAN}",
        overlaps[GAN],
        0.8,
        "of 1; set before the first run",
        margin=0.05,
      ),
      at_least(
        f"overlap of edges, {GAN} minus {DISTANCE}",
        overlaps[GAN] - overlaps[DISTANCE],
        0.0,
        "the publication's claim: the distance alone blurs",
        margin=0.03,
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
      inputs.runs, "edges", "edge_overlap", "overlap of edges {:.2f}"
    ),
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws edges, what both networks make of them, and the originals."""
  return pictures.image_panels("garments from edges", drawn, (10, 3.1))


REPRODUCTION = Reproduction(
  id="edges_to_image",
  source="pix2pix 2016, arXiv 1611.07004, section 4.2",
  summary="garments from their edges, with and without a discriminator",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings={
    game: Training(
      "edges_to_image",
      {**of_game, **paired_images.SMALL, "steps": STEPS},
      paired_images.NUM_SEEDS,
    )
    for game, of_game in _GAMES.items()
  },
)
