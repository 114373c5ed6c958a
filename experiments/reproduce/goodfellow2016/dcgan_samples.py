"""Samples of a DCGAN, early and late in training.

The tutorial shows bedrooms; here they are the ten kinds of garments of
Fashion-MNIST, with the networks and settings of `dcgan_fashion_mnist`. The
checks measure what the picture shows: the Frechet distance of a classifier's
features from the data's has to fall to a fifth of its value after 200 steps,
and all ten classes have to appear.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.3, figure 18; Radford, Metz and Chintala, Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks,
arXiv 1511.06434.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)

EARLY = "after 200 steps"


def compute(inputs: Inputs) -> Computed:
  """Compares the end of the run with a run of 200 steps."""
  results, early = inputs.runs[image_runs.GARMENTS], inputs.runs[EARLY]
  distances = results.metrics["frechet_distance"]
  checks = [
    at_least(
      "Frechet distance after 200 steps over that at the end",
      early.metrics["frechet_distance"][:, -1] / distances[:, -1],
      5.0,
      "samples that look like garments; set before the run",
      margin=1.0,
    )
  ]
  for metric, bound, origin, margin in (
    ("classes_covered", 10, "the data's classes: none is lost", 0.9),
    ("precision", 0.5, "most samples lie among the data", 0.1),
    ("recall", 0.2, "data lie among the samples; set before the run", 0.1),
  ):
    last = results.metrics[metric][:, -1]
    checks.append(
      at_least(metric.replace("_", " "), last, bound, origin, margin)
    )
  known = np.isfinite(distances[0])
  steps = results.steps[known]
  pages = {
    "data": results.snapshots["data_samples"],
    f"samples after {steps[-1]:,} steps": results.snapshots["samples"][0, -1],
    "samples after 200 steps": early.snapshots["samples"][0, -1],
  }
  return Computed(
    checks,
    {"pages": pages, "steps": steps, "distances": distances[:, known]},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws data, late and early samples, and the distance over the steps."""
  figure, (*panels, axes) = curves.grid(4, 2, (9, 9.4))
  pictures.headline(
    figure, f"a DCGAN of garments after {drawn['steps'][-1]:,} steps"
  )
  for panel, (title, page) in zip(panels, drawn["pages"].items(), strict=True):
    pictures.show_images(panel, page, title=title)
  axes.semilogy(
    drawn["steps"], drawn["distances"].T, "o-", color=curves.GENERATED
  )
  axes.set_ylabel("Frechet distance of features")
  axes.yaxis.set_major_formatter("{x:g}")
  axes.yaxis.set_minor_formatter("{x:g}")
  curves.step_axis(axes)
  return figure


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig18",
  source="Goodfellow 2016, arXiv 1701.00160, figure 18",
  summary="samples of a DCGAN, and their decreasing distance from the data",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings={
    **image_runs.OF_GARMENTS,
    EARLY: Training("dcgan_fashion_mnist", {"steps": 200}),
  },
)
