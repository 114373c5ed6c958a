"""Samples of a DCGAN, early and late in training.

The tutorial shows bedrooms; here they are the ten kinds of garments of
Fashion-MNIST, with the networks and settings of `dcgan_fashion_mnist`. The
checks measure what the picture shows: the Frechet distance of a classifier's
features from the data's has to fall to a fifth of its value after 200 steps,
and all ten classes have to appear.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 4.1, figure 18; Radford, Metz and Chintala, Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks,
arXiv 1511.06434.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves, images
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results

EARLY = "after 200 steps"
NUM_CLASSES = 10


def compute(runs: Mapping[str, Results]) -> Computed:
  """Compares the end of the run with a run of 200 steps."""
  results, early = runs[image_runs.GARMENTS], runs[EARLY]
  distances = results.metrics["frechet_distance"][0]
  at_first = early.metrics["frechet_distance"][0, -1]
  last = {
    name: results.metrics[name][0, -1]
    for name in ("classes_covered", "precision", "recall")
  }
  known = np.isfinite(distances)
  return Computed(
    {
      "Frechet distance after 200 steps over that at the end": (
        at_first / distances[-1]
      ),
      "classes covered": last["classes_covered"],
      "precision": last["precision"],
      "recall": last["recall"],
    },
    {
      "samples": results.snapshots["samples"][0, -1],
      "early": early.snapshots["samples"][0, -1],
      "data": results.snapshots["data_samples"],
      "steps": results.steps[known],
      "distances": distances[known],
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws data, early and late samples, and the distance over the steps."""
  figure, panels = curves.grid(4, 2, (9, 9.4))
  pictures.headline(
    figure, f"a DCGAN of garments after {drawn['steps'][-1]:,} steps"
  )
  for axes, name, title in (
    (panels[0], "data", "data"),
    (panels[1], "samples", f"samples after {drawn['steps'][-1]:,} steps"),
    (panels[2], "early", "samples after 200 steps"),
  ):
    images.show(axes, images.mosaic(drawn[name]))
    axes.set_title(title, fontsize=10)
  axes = panels[3]
  axes.semilogy(
    drawn["steps"], drawn["distances"], "o-", color=curves.GENERATED
  )
  axes.set_ylabel("Frechet distance of features")
  axes.yaxis.set_major_formatter("{x:g}")
  axes.yaxis.set_minor_formatter("{x:g}")
  curves.step_axis(axes)
  return figure


CHECKS = (
  Check(
    "Frechet distance after 200 steps over that at the end",
    5.0,
    0.0,
    "samples that look like garments; set before the run",
    relation="at least",
    wrong={"nothing learnt since": 1.0, "twice as near": 2.0},
  ),
  Check(
    "classes covered",
    NUM_CLASSES,
    0.0,
    "the data's classes: none is lost",
    relation="at least",
    wrong={"one is lost": NUM_CLASSES - 1, "collapsed": 1.0},
  ),
  Check(
    "precision",
    0.5,
    0.0,
    "most samples lie among the data; set before the run",
    relation="at least",
    wrong={"noise": 0.0},
  ),
  Check(
    "recall",
    0.2,
    0.0,
    "data lie among the samples; set before the run",
    relation="at least",
    wrong={"collapsed": 0.0},
  ),
)

REPRODUCTION = Reproduction(
  id="goodfellow2016_fig18",
  source="Goodfellow tutorial 2016, arXiv 1701.00160, figure 18",
  summary="samples of a DCGAN, and their decreasing distance from the data",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings={
    **image_runs.OF_GARMENTS,
    EARLY: Training("dcgan_fashion_mnist", {"steps": 200}, num_seeds=1),
  },
  long=True,
)
