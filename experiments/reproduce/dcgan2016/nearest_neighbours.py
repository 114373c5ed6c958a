"""Generated images next to their nearest training images: no copies.

A generator that memorised training images would be at distance 0 from them.
Unseen images, from the test split, show the distance of independent images;
generated images have to be as far away. Distances are Euclidean, of pixels in
shares of the range from black to white and of a classifier's features.

A second GAN is trained for as many steps on 500 images, each of which it sees
384 times instead of 3 times. Feng et al. find that the fewer the images, the
more samples are copies, so its samples should be nearer to its training images
than unseen images are. Copies are counted, but their number is not judged.

Source: Goodfellow et al., Generative Adversarial Networks, arXiv 1406.2661,
figure 2, whose rightmost column shows the nearest training example of the
sample beside it; Feng, Guo, Benitez-Quiroz and Martinez, When Do GANs
Replicate? On the Choice of Dataset Size, arXiv 2202.11765.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least, at_most, observed
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from experiments.reproduce.common.image_runs import TrainedNetworks
from gan_jax.metrics import neighbours

NUM_FEW = 500
FEW = f"{NUM_FEW} garments"
NUM_SAMPLES = 1000
NUM_SHOWN = 8
NUM_NEIGHBOURS = 5
SPACES = ("pixels", "features")


def measure(network: TrainedNetworks, seed: int) -> tuple[list[float], Any]:
  """Finds the nearest training images of samples and of unseen images."""
  train = network.trained_on.pixels
  samples = network.generate(network.sample_latents(seed, NUM_SAMPLES))
  unseen = image_runs.to_units(network.test.pixels[:NUM_SAMPLES])
  measured, histograms, indices = [], {}, np.empty(0)
  for space in SPACES:
    among, *sets = (
      # Halves the range [-1, 1] to the unit range from black to white.
      images.reshape(len(images), -1) / 2
      if space == "pixels"
      else network.features.apply(images)[0]
      for images in (image_runs.to_units(train), unseen, samples)
    )
    # The figure shows the neighbours of the samples by features.
    for points in sets:
      distances, indices = neighbours.nearest(points, among, NUM_NEIGHBOURS)
      histograms.setdefault(space, []).append(np.asarray(distances[:, 0]))
    of_unseen, of_samples = histograms[space]
    median = np.median(of_unseen)
    measured += [
      np.median(of_samples) / median,
      np.mean(of_samples < 0.1 * median),
    ]
  beside = train[np.asarray(indices[:NUM_SHOWN])]
  shown = image_runs.to_pixels(samples[:NUM_SHOWN])[:, None]
  rows = np.concatenate([shown, beside], axis=1).reshape(-1, *train.shape[1:])
  return measured, {"rows": rows, "histograms": histograms}


def compute(inputs: Inputs) -> Computed:
  """Compares the distances of samples with those of unseen images."""
  measured, drawn = {}, {}
  for name in (image_runs.GARMENTS, FEW):
    numbers, drawn[name] = image_runs.measure_each(
      inputs.runs[name], lambda network: measure(network, inputs.seed)
    )
    measured[name] = numbers.reshape(len(SPACES), 2, -1)
  checks = []
  for space, (distance, copies) in zip(
    SPACES, measured[image_runs.GARMENTS], strict=True
  ):
    checks += [
      at_least(
        f"distance of samples over unseen images, {space}",
        distance,
        0.75,
        "set before the run: samples are about as far as unseen images",
        margin=0.05,
      ),
      at_most(
        f"copies among samples, {space}",
        copies,
        0.002,
        "nearer than a tenth of the median distance of unseen images",
        margin=0.001,
      ),
    ]
  for space, (distance, copies) in zip(SPACES, measured[FEW], strict=True):
    checks += [
      at_most(
        f"distance of samples over unseen images, {space}, {FEW}",
        distance,
        0.75,
        "set before the first run: with few images samples are nearer to them",
        margin=0.05,
      ),
      observed(
        f"copies among samples, {space}, {FEW}",
        copies,
        "nearer than a tenth of the median distance of unseen images",
      ),
    ]
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples with their neighbours, and histograms of the distances."""
  figure, panels = curves.grid(
    6, 3, (12, 8.8), gridspec_kw={"width_ratios": [1, 1.1, 1.1]}
  )
  pictures.headline(
    figure, "samples (first in each row) and the nearest training images"
  )
  titles = "trained on all images", f"trained on {NUM_FEW} images"
  for row, (title, of_run) in enumerate(
    zip(titles, drawn.values(), strict=True)
  ):
    show, *histograms = panels[3 * row : 3 * row + 3]
    pictures.show_images(show, of_run["rows"], NUM_NEIGHBOURS + 1, title)
    for axes, (space, nearest) in zip(
      histograms, of_run["histograms"].items(), strict=True
    ):
      reach = max(np.quantile(values, 0.995) for values in nearest)
      axes.hist(
        nearest,
        np.linspace(0, reach, 50).tolist(),
        histtype="step",
        color=[curves.DATA, curves.GENERATED],
        label=["unseen images", "samples"],
      )
      axes.set(
        xlabel=f"distance to the nearest training image, {space}",
        ylabel="images",
      )
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="nearest_neighbours",
  source="GAN 2014, arXiv 1406.2661, figure 2",
  summary="samples are not copies of training images, of many or of few",
  minutes=30,
  compute=compute,
  draw=draw,
  trainings={
    **image_runs.OF_GARMENTS,
    FEW: Training(
      "dcgan_fashion_mnist", {"training_images": NUM_FEW, "steps": 3000}
    ),
  },
)
