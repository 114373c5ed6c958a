"""Generated images next to their nearest training images: no copies.

A generator that memorised training images would be at distance 0 from them.
Unseen images, from the test split, show the distance of independent images;
generated images have to be as far away. Distances are Euclidean, of pixels in
shares of the range from black to white and of a classifier's features.

Source: Goodfellow et al., Generative Adversarial Networks, arXiv 1406.2661,
figure 2, whose rightmost column shows the nearest training example of the
sample beside it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves, images
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax.metrics import neighbours

NUM_SAMPLES = 1000
NUM_SHOWN = 8
NUM_NEIGHBOURS = 5


def compute(runs: Mapping[str, Results]) -> Computed:
  """Finds the nearest training images of samples and of unseen images."""
  network = image_runs.load_networks(runs[image_runs.GARMENTS])
  samples = network.generate(network.sample_latents(0, NUM_SAMPLES))
  sets = {
    "samples": samples,
    "unseen images": image_runs.to_units(network.test.pixels[:NUM_SAMPLES]),
    "training images": image_runs.to_units(network.train.pixels),
  }
  spaces = {
    # Halves the range [-1, 1] to the unit range from black to white.
    "pixels": {n: x.reshape(len(x), -1) / 2 for n, x in sets.items()},
    "features": {n: network.features.apply(x)[0] for n, x in sets.items()},
  }
  measured, histograms, shown = {}, {}, None
  for space, points in spaces.items():
    found = {
      name: neighbours.nearest(
        points[name], points["training images"], NUM_NEIGHBOURS
      )
      for name in ("samples", "unseen images")
    }
    nearest = {name: np.asarray(d[:, 0]) for name, (d, _) in found.items()}
    histograms[space] = nearest
    measured[f"distance of samples over unseen images, {space}"] = np.median(
      nearest["samples"]
    ) / np.median(nearest["unseen images"])
    measured[f"copies among samples, {space}"] = np.mean(
      nearest["samples"] < 0.1 * np.median(nearest["unseen images"])
    )
    if space == "features":
      _, indices = found["samples"]
      shown = np.asarray(indices[:NUM_SHOWN])
  assert shown is not None
  beside = network.train.pixels[shown.ravel()].reshape(
    NUM_SHOWN, NUM_NEIGHBOURS, *network.train.pixels.shape[1:]
  )
  rows = np.concatenate(
    [image_runs.to_pixels(samples[:NUM_SHOWN])[:, None], beside], axis=1
  )
  return Computed(
    measured,
    {
      "rows": rows,
      "histograms": histograms,
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples with their neighbours, and histograms of the distances."""
  figure, panels = curves.grid(
    3, 3, (12, 4.6), gridspec_kw={"width_ratios": [1, 1.1, 1.1]}
  )
  pictures.headline(
    figure, "samples (first in each row) and the nearest training images"
  )
  rows = drawn["rows"]
  images.show(
    panels[0],
    images.mosaic(rows.reshape(-1, *rows.shape[2:]), NUM_NEIGHBOURS + 1),
  )
  for axes, (space, nearest) in zip(
    panels[1:], drawn["histograms"].items(), strict=True
  ):
    reach = max(np.quantile(values, 0.995) for values in nearest.values())
    for (name, values), colour in zip(
      nearest.items(), (curves.GENERATED, curves.DATA), strict=True
    ):
      axes.hist(
        values,
        np.linspace(0, reach, 50).tolist(),
        histtype="step",
        color=colour,
        label=name,
      )
    axes.set(
      xlabel=f"distance to the nearest training image, {space}",
      ylabel="images",
    )
  return curves.legend(figure)


CHECKS = tuple(
  check
  for space in ("pixels", "features")
  for check in (
    Check(
      f"distance of samples over unseen images, {space}",
      0.75,
      0.0,
      "set before the run: samples are about as far as unseen images",
      relation="at least",
      wrong={"copies": 0.0, "half as far": 0.5},
    ),
    Check(
      f"copies among samples, {space}",
      0.0,
      0.002,
      "nearer than a tenth of the median distance of unseen images",
      relation="at most",
      wrong={"one in a hundred": 0.01},
    ),
  )
)

REPRODUCTION = Reproduction(
  id="nearest_neighbours",
  source="GAN 2014, arXiv 1406.2661, figure 2",
  summary="samples are not copies of training images",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
  long=True,
)
