"""A vector of latents that widens garments, as the publication turns faces.

The publication averages the latents of four faces that look left and of four
that look right. The difference of these means is its "turn" vector: added to
other latents, in steps, it turns their faces. No images here turn: the cartoon
faces could be mirrored, but none of the data is. Garments, however, are narrow
or wide. The measure is the aspect

  log(s_x / s_y),

where s_x and s_y are the standard deviations of the position of brightness. It
also differs between kinds of garments, and the vector should widen garments and
not exchange them. So it is the mean over classes of the difference of the means
of each class's widest and narrowest samples.

Each walk adds -1/2 to 1/2 times the vector to new latents, so that its ends
differ as the means do. Along it the aspect has to increase, and a classifier
has to see the same kind of garment as in the middle. Random vectors of the same
length are the comparison: as often as not they make garments narrower. (A first
design went from -1 to 1. With a smaller generator of 16 latents such walks
widened garments, but only half of their images were of the same kind. All
bounds are from before that run.)

Source: Radford, Metz and Chintala, Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks, arXiv 1511.06434, section
6.3.2 and figure 8.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from experiments.plots import curves
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least, covers, observed
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks
from gan_jax.types import Array

NUM_SAMPLES = 4000
NUM_AVERAGED = 20
"""Widest and narrowest samples of each class in a mean; four in the source."""
NUM_WALKS = 500
NUM_STEPS = 9
"""Images of a walk, an odd number, so that one is in the middle."""
TIMES = np.linspace(-0.5, 0.5, NUM_STEPS)
"""Multiples of the vector."""
NUM_SHOWN = 8
DIRECTIONS = ("turn", "random")


def aspect(images: Array) -> np.ndarray:
  """Computes log(s_x / s_y) of images [n, height, width, c] in [-1, 1], [n]."""
  weights = np.asarray((images + 1) / 2, float).sum(axis=-1)
  weights /= weights.sum(axis=(1, 2), keepdims=True)

  def deviation(axis):
    along = weights.sum(axis=axis)
    positions = np.arange(along.shape[1])
    mean = along @ positions
    return np.sqrt(along @ positions**2 - mean**2)

  return np.log(deviation(1) / deviation(2))


def turn_vector(
  latents: Array, aspects: np.ndarray, classes: np.ndarray
) -> Array:
  """Averages, over classes, the widest samples' latents less the narrowest's.

  Args:
    latents: [n, k].
    aspects: [n].
    classes: [n]. Means have `NUM_AVERAGED` samples, or half of the class.

  Returns:
    The vector, [k].
  """
  differences = []
  for label in np.unique(classes):
    of_class = np.flatnonzero(classes == label)
    ordered = of_class[np.argsort(aspects[of_class])]
    count = min(NUM_AVERAGED, len(ordered) // 2)
    if count:
      narrow, wide = (
        latents[chosen].mean(axis=0)
        for chosen in (ordered[:count], ordered[-count:])
      )
      differences.append(wide - narrow)
  return jnp.mean(jnp.stack(differences), axis=0)


def rank_correlations(values: np.ndarray) -> np.ndarray:
  """Computes Spearman's correlation of each row [n, steps] with the step."""
  ranks = stats.rankdata(values, axis=1)
  ranks -= ranks.mean(axis=1, keepdims=True)
  steps = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
  norms = np.linalg.norm(ranks, axis=1) * np.linalg.norm(steps)
  return ranks @ steps / norms


def walk(network: TrainedNetworks) -> tuple[list[float], Any]:
  """Walks along the turn vector and along random ones."""

  def judge(latents):
    """Returns images [n, ...] with their aspects and classes, [n] each."""
    images = network.generate(latents)
    _, logits = network.features.apply(images)
    return images, aspect(images), np.asarray(logits).argmax(axis=1)

  latents = network.sample_latents(2 * network.seed, NUM_SAMPLES)
  vector = turn_vector(latents, *judge(latents)[1:])
  start = network.sample_latents(2 * network.seed + 1, NUM_WALKS)
  others = jax.random.normal(jax.random.key(network.seed), start.shape)
  others *= jnp.linalg.norm(vector) / jnp.linalg.norm(
    others, axis=1, keepdims=True
  )
  times = jnp.asarray(TIMES)
  measured, drawn = [], {}
  for name, direction in zip(DIRECTIONS, (vector[None], others), strict=True):
    points = start[:, None] + times[None, :, None] * direction[:, None]
    images, aspects, classes = judge(points.reshape(-1, points.shape[-1]))
    aspects, classes = (
      each.reshape(NUM_WALKS, NUM_STEPS) for each in (aspects, classes)
    )
    correlations = rank_correlations(aspects)
    kept = classes == classes[:, NUM_STEPS // 2, None]
    # The middle is its own class.
    share = (kept.sum() - NUM_WALKS) / (kept.size - NUM_WALKS)
    measured += [
      float(correlations.mean()),
      100 * float(np.mean(correlations > 0)),
      100 * float(share),
    ]
    drawn[name] = {
      "images": image_runs.to_pixels(images[: NUM_SHOWN * NUM_STEPS]),
      "aspects": aspects,
    }
  return measured, drawn


def compute(inputs: Inputs) -> Computed:
  """Measures the walks of the trained generators."""
  (correlation, widened, kept, random, _, kept_random), drawn = (
    image_runs.measure_each(inputs.runs[image_runs.GARMENTS], walk)
  )
  return Computed(
    [
      at_least(
        "rank correlation of aspect and step, mean of walks",
        correlation,
        0.8,
        "set before the first run: walks widen garments step by step",
        margin=0.1,
      ),
      at_least(
        "walks that widen the garment (%)",
        widened,
        90.0,
        "set before the first run: reliably, as the publication says of faces",
        margin=5.0,
      ),
      at_least(
        "images of the same kind as the walk's middle (%)",
        kept,
        70.0,
        "set before the first run: the vector widens, and does not exchange",
        margin=5.0,
      ),
      covers(
        "rank correlation of aspect and step, random vectors",
        random,
        0.0,
        0.15,
        "a vector and its opposite are equally likely",
      ),
      observed(
        "images of the same kind, random vectors (%)",
        kept_random,
        "shows how much of the change is the vector's",
      ),
    ],
    drawn,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws walks along both kinds of vectors, and the aspects along them."""
  figure, (*panels, axes) = curves.grid(
    3, 3, (13, 4.4), gridspec_kw={"width_ratios": [1.1, 1.1, 1]}
  )
  pictures.headline(
    figure, "the same latents, moved along a vector, one walk in each row"
  )
  titles = "from narrow to wide garments", "random vectors of the same length"
  colors = curves.GENERATED, curves.DISCRIMINATOR
  for panel, title, color, of_vector in zip(
    panels, titles, colors, drawn.values(), strict=True
  ):
    pictures.show_images(panel, of_vector["images"], NUM_STEPS, title)
    change = of_vector["aspects"] - of_vector["aspects"][:, [NUM_STEPS // 2]]
    low, middle, high = np.quantile(change, [0.1, 0.5, 0.9], axis=0)
    axes.fill_between(TIMES, low, high, color=color, alpha=0.15, lw=0)
    axes.plot(TIMES, middle, "o-", color=color, label=title)
  axes.set(
    xlabel="multiple of the vector",
    ylabel="change of the aspect, 80 % of walks",
  )
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="dcgan_turn",
  source="DCGAN 2016, arXiv 1511.06434, figure 8",
  summary="a vector of latents widens garments, as another turns faces",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
)
