"""Image patches to which the discriminator's filters respond most.

Each row shows a channel of the discriminator's last hidden layer: the patches
of strongest response, from as many different images. A patch is the part of the
image that the channel sees. A trained channel has found a part of a garment (a
collar, a sole, a strap). A random channel responds to bright patches.

A linear classifier measures how much the channels say about an image. It uses
the responses averaged over quarters of the image, and trained channels have to
be better than random ones of the same network.

Source: Radford, Metz and Chintala, Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks, arXiv 1511.06434, section
5.1 (a linear classifier on the responses), section 6.2 and figure 5, which
shows them by guided backpropagation.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.plots import images as image_plots
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks
from experiments.run_folder.results import Results
from gan_jax.data.images import Images
from gan_jax.networks import dcgan

NUM_LEARNT, NUM_TESTED = 10_000, 5000
NUM_CHANNELS, NUM_PATCHES = 8, 9
PATCH = 10
"""Side of the patch that a channel of the second layer sees: 4 + 2 (4 - 1)."""
_OFFSET = -3
"""Offset of a patch's corner from 4 times its position: paddings 1 + 2."""
_RIDGE = 1e-3


def _responses(
  network: TrainedNetworks, collections: Any, images: Images, n: int
):
  """Returns the last hidden maps of the first n images, [n, 7, 7, channels]."""
  discriminator = network.networks.discriminator

  @jax.jit
  def apply(batch):
    _, kept = discriminator.apply(
      collections, batch, mutable="intermediates", capture_intermediates=True
    )
    # The output of the last normalisation, before the activation.
    maps: Any = kept["intermediates"]["BatchNorm_0"]["__call__"][0]
    return jax.nn.leaky_relu(maps, dcgan.SLOPE)

  parts = [
    apply(image_runs.to_units(images.pixels[start : start + 500]))
    for start in range(0, n, 500)
  ]
  return np.concatenate(parts)[:n]


def _quarters(maps: np.ndarray) -> np.ndarray:
  """Averages maps over overlapping quarters, [n, 4 channels]."""
  half = -(-maps.shape[1] // 2)
  parts = [
    maps[:, rows, columns].mean(axis=(1, 2))
    for rows in (slice(half), slice(-half, None))
    for columns in (slice(half), slice(-half, None))
  ]
  return np.concatenate(parts, axis=1)


def _linear_accuracy(
  learnt: np.ndarray, labels: np.ndarray, tested: np.ndarray, truth: np.ndarray
) -> float:
  """Scores a linear classifier: ridge regression to class indicators."""
  mean, scale = learnt.mean(axis=0), learnt.std(axis=0) + 1e-6
  x, y = (
    np.column_stack([(part - mean) / scale, np.ones(len(part))]).astype(float)
    for part in (learnt, tested)
  )
  indicators = np.eye(labels.max() + 1)[labels]
  gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
  predicted = (y @ np.linalg.solve(gram, x.T @ indicators)).argmax(axis=1)
  return float(np.mean(predicted == truth))


def _best_patches(maps: np.ndarray, images: Images) -> np.ndarray:
  """Returns the patches of strongest response, [channels * patches, ...].

  The channels are those whose strongest responses exceed the others most.
  """
  n, side, _, channels = maps.shape
  flat = maps.reshape(n, side * side, channels)
  peaks, places = flat.max(axis=1), flat.argmax(axis=1)
  order = np.argsort(-peaks, axis=0)[:NUM_PATCHES]
  strength = np.take_along_axis(peaks, order, axis=0).mean(axis=0)
  shown = np.argsort(-(strength - peaks.mean(axis=0)) / peaks.std(axis=0))
  pad = -_OFFSET
  pixels = np.pad(
    images.pixels[:n], ((0, 0), (pad, PATCH), (pad, PATCH), (0, 0))
  )
  patches = []
  for channel in shown[:NUM_CHANNELS]:
    for image in order[:, channel]:
      row, column = np.multiply(divmod(places[image, channel], side), 4)
      patches.append(pixels[image, row : row + PATCH, column : column + PATCH])
  return np.stack(patches)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Compares the trained discriminator with a randomly initialised one."""
  network = image_runs.load_networks(runs[image_runs.GARMENTS])
  random_collections = network.networks.discriminator.init(
    jax.random.key(0), image_runs.to_units(network.train.pixels[:1])
  )
  measured, patches = {}, {}
  train_labels, test_labels = network.train.labels, network.test.labels
  assert train_labels is not None and test_labels is not None
  for name, collections in (
    ("trained", network.discriminator_collections()),
    ("random", random_collections),
  ):
    if name == "random":
      # One pass sets the statistics of its normalisation.
      _, updated = network.networks.discriminator.apply(
        collections,
        image_runs.to_units(network.train.pixels[:1000]),
        train=True,
        mutable=["batch_stats"],
      )
      collections = {**collections, **_first_pass(collections, updated)}
    learnt = _responses(network, collections, network.train, NUM_LEARNT)
    tested = _responses(network, collections, network.test, NUM_TESTED)
    measured[f"linear classifier on {name} filters (%)"] = (
      100
      * _linear_accuracy(
        _quarters(learnt),
        train_labels[:NUM_LEARNT],
        _quarters(tested),
        test_labels[:NUM_TESTED],
      )
    )
    patches[name] = _best_patches(learnt, network.train)
  accuracies = list(measured.values())
  measured["trained above random (%)"] = accuracies[0] - accuracies[1]
  return Computed(measured, patches)


def _first_pass(before: Any, updated: Any) -> dict[str, Any]:
  """Removes the initial statistics from the moving averages."""
  momentum = 0.9
  return {
    "batch_stats": jax.tree.map(
      lambda old, new: (new - momentum * old) / (1 - momentum),
      before["batch_stats"],
      updated["batch_stats"],
    )
  }


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the strongest patches of trained and random channels."""
  figure, panels = curves.grid(2, 2, (9, 4.9))
  pictures.headline(
    figure,
    "what channels of the discriminator respond to most, one in each row",
  )
  for axes, (name, patches) in zip(panels, drawn.items(), strict=True):
    image_plots.show(axes, image_plots.mosaic(patches, NUM_PATCHES))
    axes.set_title(name, fontsize=10)
  return figure


CHECKS = (
  Check(
    "linear classifier on trained filters (%)",
    75.0,
    0.0,
    "set before the run: better than the mean brightness of quarters",
    relation="at least",
    wrong={"chance": 10.0},
  ),
  Check(
    "linear classifier on random filters (%)",
    50.0,
    0.0,
    "random features are informative too, so the comparison is not trivial",
    relation="at least",
    wrong={"chance": 10.0},
  ),
  Check(
    "trained above random (%)",
    1.0,
    0.0,
    "the publication's claim, of a network trained on images",
    relation="at least",
    wrong={"no better": 0.0},
  ),
)

REPRODUCTION = Reproduction(
  id="dcgan_filters",
  source="DCGAN 2016, arXiv 1511.06434, figure 5",
  summary="the discriminator's filters find parts of garments",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
  long=True,
)
