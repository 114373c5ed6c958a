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
from flax import linen as nn
from matplotlib.figure import Figure

from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks
from gan_jax.networks import dcgan
from gan_jax.types import Params

NUM_LEARNT, NUM_TESTED = 10_000, 5000
NUM_CHANNELS, NUM_PATCHES = 8, 9
PATCH = 10
"""Side of the patch that a channel of the second layer sees: 4 + 2 (4 - 1)."""
_PADDING = 3
"""A patch starts this far before 4 times its position: paddings 1 + 2."""
_RIDGE = 1e-3


def _responses(
  discriminator: nn.Module, params: Params, pixels: np.ndarray
) -> np.ndarray:
  """Computes the last hidden maps of images, [n, 7, 7, channels].

  The maps are normalised by the statistics of minibatches of real images,
  because a random network has no others.
  """

  @jax.jit
  def apply(batch):
    _, kept = discriminator.apply(
      {"params": params},
      batch,
      train=True,
      mutable=["batch_stats", "intermediates"],
      capture_intermediates=True,
    )
    # The output of the last normalisation, before the activation.
    maps: Any = kept["intermediates"]["BatchNorm_0"]["__call__"][0]
    return jax.nn.leaky_relu(maps, dcgan.SLOPE)

  maps = image_runs.in_chunks(lambda x: apply(image_runs.to_units(x)), pixels)
  return np.asarray(maps)


def _quarters(maps: np.ndarray) -> np.ndarray:
  """Averages maps over overlapping quarters, [n, 4 channels]."""
  side = maps.shape[1]
  half, stride = -(-side // 2), side // 2
  averages = nn.avg_pool(maps, (half, half), (stride, stride))
  return np.asarray(averages).reshape(len(maps), -1)


def _linear_accuracy(
  learnt: np.ndarray, labels: np.ndarray, tested: np.ndarray, truth: np.ndarray
) -> float:
  """Scores ridge regression to class indicators as a classifier, in percent."""
  mean, scale = learnt.mean(axis=0), learnt.std(axis=0) + 1e-6
  x, y = (
    np.column_stack([(part - mean) / scale, np.ones(len(part))]).astype(float)
    for part in (learnt, tested)
  )
  indicators = np.eye(labels.max() + 1)[labels]
  gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
  predicted = (y @ np.linalg.solve(gram, x.T @ indicators)).argmax(axis=1)
  return 100 * float(np.mean(predicted == truth))


def _best_patches(maps: np.ndarray, pixels: np.ndarray) -> np.ndarray:
  """Returns the patches of strongest response, [channels * patches, ...].

  The channels are those whose strongest responses exceed the others most.
  """
  side = maps.shape[1]
  flat = maps.reshape(len(maps), side * side, -1)
  peaks, positions = flat.max(axis=1), flat.argmax(axis=1)
  order = np.argsort(-peaks, axis=0)[:NUM_PATCHES]
  strength = np.take_along_axis(peaks, order, axis=0).mean(axis=0)
  shown = np.argsort(-(strength - peaks.mean(axis=0)) / peaks.std(axis=0))
  around = (_PADDING, PATCH)
  padded = np.pad(pixels, ((0, 0), around, around, (0, 0)))
  patches = []
  for channel in shown[:NUM_CHANNELS]:
    for image in order[:, channel]:
      row, column = np.multiply(divmod(positions[image, channel], side), 4)
      patches.append(padded[image, row : row + PATCH, column : column + PATCH])
  return np.stack(patches)


def _compare(network: TrainedNetworks, seed: int) -> tuple[list[float], Any]:
  """Scores trained and random filters, and finds their strongest patches."""
  discriminator = network.networks.discriminator
  (learnt, labels), (tested, truth) = (
    (images.pixels[:n], np.asarray(images.labels)[:n])
    for images, n in ((network.train, NUM_LEARNT), (network.test, NUM_TESTED))
  )
  random = discriminator.init(
    jax.random.key(seed), image_runs.to_units(learnt[:1])
  )
  accuracies, patches = [], {}
  for name, params in (
    ("trained", network.state.params.discriminator),
    ("random", random["params"]),
  ):
    maps, tested_maps = (
      _responses(discriminator, params, pixels) for pixels in (learnt, tested)
    )
    quarters, tested_quarters = _quarters(maps), _quarters(tested_maps)
    accuracies.append(
      _linear_accuracy(quarters, labels, tested_quarters, truth)
    )
    patches[name] = _best_patches(maps, learnt)
  return accuracies, patches


def compute(inputs: Inputs) -> Computed:
  """Compares trained discriminators with randomly initialised ones."""
  (trained, random), patches = image_runs.measure_each(
    inputs.runs[image_runs.GARMENTS],
    lambda network: _compare(network, inputs.seed),
  )
  return Computed(
    [
      at_least(
        "linear classifier on trained filters (%)",
        trained,
        75.0,
        "set before the run: better than the mean brightness of quarters",
        margin=2.0,
      ),
      at_least(
        "linear classifier on random filters (%)",
        random,
        50.0,
        "random features are informative too, so the comparison is not trivial",
        margin=2.0,
      ),
      at_least(
        "trained above random (%)",
        trained - random,
        1.0,
        "the publication's claim, of a network trained on images",
        margin=0.5,
      ),
    ],
    patches,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the strongest patches of trained and random channels."""
  text = "what channels of the discriminator respond to most, one in each row"
  return pictures.image_panels(text, drawn, (9, 4.9), NUM_PATCHES)


REPRODUCTION = Reproduction(
  id="dcgan_filters",
  source="DCGAN 2016, arXiv 1511.06434, figure 5",
  summary="the discriminator's filters find parts of garments",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
)
