"""Image patches to which the discriminator's filters respond most.

Each row shows a channel of the discriminator's last hidden layer: the patches
of strongest response, from as many different images. A patch is the part of the
image that the channel sees. A trained channel has found a part of a garment (a
collar, a sole, a strap). A random channel responds to bright patches.

Beside them are the same responses' gradients with respect to the pixels, by
guided backpropagation: every LeakyReLU passes back only positive gradients, and
only where its input is positive. White pixels raise the response, black ones
lower it. Outside of the patch such a gradient is 0. The publication finds only
random structure in those of random filters, so trained ones should be more
concentrated: the tenth of the pixels with the largest gradients has more of the
sum of squares. In white noise it has 44 %, and in a uniform patch 10 %.

A linear classifier measures how much the channels say about an image. It uses
the responses averaged over quarters of the image, and trained channels have to
be better than random ones of the same network.

Source: Radford, Metz and Chintala, Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks, arXiv 1511.06434, section
5.1 (a linear classifier on the responses), section 6.2 and figure 5;
Springenberg, Dosovitskiy, Brox and Riedmiller, Striving for Simplicity: The All
Convolutional Net, arXiv 1412.6806, for guided backpropagation.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from matplotlib.figure import Figure

from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks
from gan_jax.networks import dcgan
from gan_jax.types import Array, Params

NUM_LEARNT, NUM_TESTED = 10_000, 5000
NUM_NORMALIZED = 1000
"""Real images whose statistics normalise the maps."""
NUM_CHANNELS, NUM_PATCHES = 8, 9
PATCH = 10
"""Side of the patch that a channel of the second layer sees: 4 + 2 (4 - 1)."""
_PADDING = 3
"""A patch starts this far before 4 times its position: paddings 1 + 2."""
_STRONGEST = 0.1
"""Share of the pixels that measures how concentrated a gradient is."""
_RIDGE = 1e-3


@jax.custom_vjp
def guided_leaky_relu(maps: Array) -> Array:
  """Applies LeakyReLU, which passes back g [x > 0] [g > 0] for a gradient g."""
  return dcgan.leaky_relu(maps)


guided_leaky_relu.defvjp(
  lambda maps: (dcgan.leaky_relu(maps), maps > 0),
  lambda positive, gradient: (jnp.where(positive, nn.relu(gradient), 0),),
)


def _normalized(maps: Array, train: bool, dtype: Any) -> Array:
  """Normalises as DCGAN does, and keeps the last minibatch's statistics."""
  return nn.BatchNorm(use_running_average=not train, momentum=0, dtype=dtype)(
    maps
  )


class Filters(NamedTuple):
  """The hidden layers of a discriminator, with statistics of real images.

  The statistics are those of one large minibatch, because a random network has
  no others.
  """

  discriminator: nn.Module
  collections: Mapping[str, Any]

  @classmethod
  def of(cls, discriminator: nn.Module, params: Params, images: Array):
    """Measures the statistics on images [n, height, width, channels]."""
    discriminator = discriminator.clone(normalize=_normalized)
    _, statistics = discriminator.apply(
      {"params": params}, images, train=True, mutable="batch_stats"
    )
    return cls(discriminator, {"params": params, **statistics})

  def respond(self, images: Array) -> Array:
    """Computes the last hidden maps of images, [n, height, width, channels]."""
    _, kept = self.discriminator.apply(
      self.collections,
      images,
      capture_intermediates=lambda module, _: module.name == "BatchNorm_0",
      mutable="intermediates",
    )
    # The output of the last normalisation, before the activation.
    maps: Any = kept["intermediates"]["BatchNorm_0"]["__call__"][0]
    return self.discriminator.activation(maps)

  def respond_in_chunks(self, pixels: np.ndarray) -> np.ndarray:
    """Computes the last hidden maps of images as bytes."""
    respond = jax.jit(self.respond)
    maps = image_runs.in_chunks(
      lambda chunk: respond(image_runs.to_units(chunk)), pixels
    )
    return np.asarray(maps)

  def guided_gradients(
    self, images: Array, rows: Array, columns: Array, channels: Array
  ) -> Array:
    """Computes guided gradients of one response to each image.

    Args:
      images: [n, height, width, c].
      rows: [n] positions of the responses in the last hidden maps.
      columns: [n].
      channels: [n].

    Returns:
      The gradients with respect to the pixels, [n, height, width, c].
    """
    guided = self._replace(
      discriminator=self.discriminator.clone(activation=guided_leaky_relu)
    )

    def responses(images):
      n = jnp.arange(len(images))
      return jnp.sum(guided.respond(images)[n, rows, columns, channels])

    # A response depends on its image only, so the sum's gradient has them all.
    return jax.grad(responses)(images)


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


def _strongest(maps: np.ndarray) -> tuple[np.ndarray, ...]:
  """Finds the strongest responses of each channel.

  Returns images, rows and columns, [channels, NUM_PATCHES] each. First are the
  channels whose strongest responses exceed the others most; their order is the
  last result, [channels].
  """
  side = maps.shape[1]
  flat = maps.reshape(len(maps), side * side, -1)
  peaks, positions = flat.max(axis=1), flat.argmax(axis=1)
  images = np.argsort(-peaks, axis=0)[:NUM_PATCHES]
  strength = np.take_along_axis(peaks, images, axis=0).mean(axis=0)
  order = np.argsort(-(strength - peaks.mean(axis=0)) / peaks.std(axis=0))
  chosen = np.take_along_axis(positions, images, axis=0)
  return *(each.T[order] for each in (images, *divmod(chosen, side))), order


def patches(
  images: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
  """Cuts out of images [n, ...] what responses at positions [n] see."""
  around = (_PADDING, PATCH)
  padded = np.pad(images, ((0, 0), around, around, (0, 0)))
  return np.stack(
    [
      image[row : row + PATCH, column : column + PATCH]
      for image, row, column in zip(padded, 4 * rows, 4 * columns, strict=True)
    ]
  )


def concentration(gradients: np.ndarray) -> np.ndarray:
  """Measures the share of the largest gradients in the sum of squares, [n].

  They are those of a tenth of the pixels of patches [n, height, width, c].
  """
  squares = np.square(gradients).sum(axis=-1).reshape(len(gradients), -1)
  squares = np.sort(squares, axis=1)
  largest = squares[:, -round(_STRONGEST * squares.shape[1]) :].sum(axis=1)
  return largest / np.maximum(squares.sum(axis=1), np.finfo(np.float32).tiny)


def _compare(network: TrainedNetworks) -> tuple[list[float], Any]:
  """Scores trained and random filters, and finds their strongest patches."""
  discriminator = network.networks.discriminator
  (learnt, labels), (tested, truth) = (
    (images.pixels[:n], np.asarray(images.labels)[:n])
    for images, n in ((network.train, NUM_LEARNT), (network.test, NUM_TESTED))
  )
  normalized = image_runs.to_units(learnt[:NUM_NORMALIZED])
  random = discriminator.init(jax.random.key(network.seed), normalized[:1])
  measured, shown = [], {}
  for name, params in (
    ("trained", network.state.params.discriminator),
    ("random", random["params"]),
  ):
    filters = Filters.of(discriminator, params, normalized)
    maps, tested_maps = map(filters.respond_in_chunks, (learnt, tested))
    quarters, tested_quarters = _quarters(maps), _quarters(tested_maps)
    accuracy = _linear_accuracy(quarters, labels, tested_quarters, truth)

    images, rows, columns, channels = _strongest(maps)
    images, rows, columns = (x.ravel() for x in (images, rows, columns))
    gradients = np.asarray(
      image_runs.in_chunks(
        jax.jit(filters.guided_gradients),
        image_runs.to_units(learnt[images]),
        rows,
        columns,
        np.repeat(channels, NUM_PATCHES),
      )
    )
    seen = patches(gradients, rows, columns)
    outside = np.count_nonzero(gradients) - np.count_nonzero(seen)
    measured += [accuracy, 100 * float(np.mean(concentration(seen))), outside]

    which = slice(NUM_CHANNELS * NUM_PATCHES)
    scale = np.abs(seen[which]).max(axis=(1, 2, 3), keepdims=True)
    shown |= {
      f"{name}: patches": patches(
        learnt[images[which]], rows[which], columns[which]
      ),
      f"{name}: guided gradients": image_runs.to_pixels(
        seen[which] / np.maximum(scale, np.finfo(np.float32).tiny)
      ),
    }
  return measured, shown


def compute(inputs: Inputs) -> Computed:
  """Compares trained discriminators with randomly initialised ones."""
  (
    (trained, concentrated, outside, random, at_random, outside_random),
    drawn,
  ) = image_runs.measure_each(inputs.runs[image_runs.GARMENTS], _compare)
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
      close(
        "pixels with a gradient outside of the patch",
        sum(outside) + sum(outside_random),
        0,
        0,
        "a response depends on the pixels of its patch alone",
      ),
      at_least(
        "concentration of guided gradients, trained above random (%)",
        concentrated - at_random,
        5.0,
        "set before the first run: in white noise it is 34 % above uniform",
        margin=2.5,
      ),
    ],
    drawn,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws strongest patches and guided gradients of both kinds of channels."""
  text = (
    "what channels of the discriminator respond to most, one in each row, and "
    "the responses' gradients"
  )
  return pictures.image_panels(text, drawn, (14, 3.6), NUM_PATCHES)


REPRODUCTION = Reproduction(
  id="dcgan_filters",
  source="DCGAN 2016, arXiv 1511.06434, figure 5",
  summary="the discriminator's filters find parts of garments",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
)
