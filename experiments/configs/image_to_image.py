"""Games that make one image of another: larger, coloured, completed, drawn.

The condition is made of the image itself, so every image of a dataset is a pair
of a condition and the original. Samples are measured with conditions of unseen
images. Except for edges, the generator's output is projected onto the images
that have exactly this condition.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from etils import epy

from experiments.configs.experiment import Experiment
from experiments.configs.fields import setting
from experiments.configs.image_settings import (
  ConvolutionSettings,
  read_dataset,
)
from experiments.errors import SettingError

if TYPE_CHECKING:
  from experiments.run_folder.results import Results
  from gan_jax.data.images import Dataset
  from gan_jax.training import Problem

with epy.lazy_imports():
  import jax
  import jax.numpy as jnp
  import numpy as np

  from experiments.configs import builders, image_builders
  from experiments.datasets import data_record, image_datasets
  from experiments.plots import curves
  from experiments.plots import images as image_plots
  from gan_jax import games, types
  from gan_jax.data import image_conditions, images
  from gan_jax.metrics import image_pairs
  from gan_jax.networks import dcgan, image_to_image

SUPER_RESOLUTION, COLOURING = "super_resolution", "colouring"
EDGES, INPAINTING = "edges", "inpainting"
TASKS = (SUPER_RESOLUTION, COLOURING, EDGES, INPAINTING)
NUM_DRAWN, COLUMNS = 16, 4

BEST = 1.0
"""The metric that is the score, for the originals themselves, by definition:
the ratio of energies of details, the intersection of histograms of colours, the
overlap of edges, or the share of the variance in the hole that is explained.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageToImageSettings(ConvolutionSettings):
  """Adds what is made of an image, and the cost of differing from it."""

  task: str = setting(
    SUPER_RESOLUTION,
    "what the generator makes: a sharp image of a coarse one, colours of grey, "
    "an image of its edges, or the hole of an image",
    choices=TASKS,
    sets_protocol=True,
    heading="Image to image",
  )
  factor: int = setting(
    4,
    "side of the squares of pixels that are one pixel of the coarse image",
    minimum=2,
    maximum=64,
    requires=f"task={SUPER_RESOLUTION}",
    sets_protocol=True,
  )
  edge_threshold: float = setting(
    0.15,
    "change of brightness, in [-1, 1], per pixel from which there is an edge",
    above=0,
    varies=False,
    requires=f"task={EDGES}",
    sets_protocol=True,
  )
  hole: int = setting(
    12,
    "side of the square hole in the middle of the image, in pixels",
    minimum=1,
    maximum=1023,
    requires=f"task={INPAINTING}",
    sets_protocol=True,
  )
  reconstruction: str = setting(
    "absolute",
    "distance to the original in the generator's cost",
    choices=("absolute", "squared"),
    requires="reconstruction_weight",
  )
  reconstruction_weight: float = setting(
    100.0, "weight of this distance", minimum=0, varies=False
  )
  adversarial_weight: float = setting(
    1.0,
    "weight of the loss in the generator's cost; with 0 it learns by the "
    "distance alone",
    minimum=0,
    varies=False,
  )
  depth: int = setting(
    2,
    "number of halvings in both networks, each a convolution",
    minimum=1,
    maximum=8,
  )

  def check_contradictions(self) -> None:
    super().check_contradictions()
    self.check_single_samples("images made of images", "conditions")
    self.check_unavailable(
      ("latent_prior",), "images made of images, which have no latents"
    )
    self.check_unavailable(
      ("inception_weights",),
      "images made of images, which are compared pixel by pixel",
    )
    if self.image_size % 2**self.depth:
      raise SettingError(
        f"--image_size={self.image_size} must be a multiple of "
        f"{2**self.depth} to be halved --depth={self.depth} times"
      )
    if self.task == SUPER_RESOLUTION and self.image_size % self.factor:
      raise SettingError(
        f"--image_size={self.image_size} must be a multiple of "
        f"--factor={self.factor}"
      )
    if self.task == INPAINTING and self.hole >= self.image_size:
      raise SettingError(
        f"--hole={self.hole} must be smaller than "
        f"--image_size={self.image_size}"
      )
    if self.task == COLOURING and self.image_channels != 3:
      raise SettingError(
        f"--task={COLOURING} needs --image_channels=3; grey images have no "
        "colours"
      )
    if not self.reconstruction_weight and not self.adversarial_weight:
      raise SettingError(
        "--reconstruction_weight=0 and --adversarial_weight=0 leave the "
        "generator no cost"
      )


class Pairing(NamedTuple):
  """How images become conditions, and samples are measured.

  Attributes:
    condition: images [n, h, w, c] -> their condition.
    project: (images, condition) -> the images with this condition; None if
      there is no such projection.
    measure: (samples, originals, condition) -> metrics; those named `share_...`
      or `..._overlap` are in [0, 1].
  """

  condition: Callable[[Any], Any]
  project: Callable[[Any, Any], Any] | None
  measure: Callable[[Any, Any, Any], types.Metrics]


def pairing(settings: ImageToImageSettings) -> Pairing:
  """Makes the conditions and the measurement of a task."""
  if settings.task == SUPER_RESOLUTION:
    factor = settings.factor
    energy = functools.partial(image_pairs.high_frequency_energy, factor=factor)
    return Pairing(
      lambda x: image_conditions.coarse(x, factor),
      lambda x, y: image_conditions.with_coarse(x, y, factor),
      lambda x, real, y: {"high_frequency_ratio": energy(x) / energy(real)},
    )
  if settings.task == COLOURING:
    return Pairing(
      image_conditions.grey,
      image_conditions.with_grey,
      lambda x, real, y: {
        "chroma_intersection": image_pairs.chroma_intersection(x, real)
      },
    )
  if settings.task == EDGES:
    threshold = settings.edge_threshold
    return Pairing(
      lambda x: image_conditions.edges(x, threshold),
      None,
      lambda x, real, y: {
        "edge_overlap": image_pairs.edge_overlap(x, y, threshold)
      },
    )
  mask = image_conditions.central_mask(settings.image_size, settings.hole)
  hole = 1 - mask[None]

  def measure(samples, real, condition):
    del condition
    # The mean image is a better guess than one colour.
    mean = jnp.mean(real, axis=0, keepdims=True) + jnp.zeros_like(real)
    errors, unexplained = (
      jnp.mean(image_pairs.squared_errors(x, real, hole))
      for x in (samples, mean)
    )
    return {
      "hole_psnr": image_pairs.psnr(samples, real, hole),
      "hole_explained": 1 - errors / jnp.maximum(unexplained, 1e-12),
    }

  return Pairing(
    lambda x: image_conditions.with_hole(x, mask),
    image_conditions.with_known,
    measure,
  )


def build(settings: ImageToImageSettings) -> Problem:
  """Builds a game on images; raises SettingError if they cannot be read."""
  return builder(settings)(settings)


def builder(
  settings: ImageToImageSettings,
) -> Callable[[ImageToImageSettings], Problem]:
  """Reads the images once, for games that differ only in numeric settings.

  Returns `build` for settings that differ from these only in fields that vary,
  which may be traced. Raises SettingError if the images cannot be read.
  """
  dataset = read_dataset(settings)
  unseen = unseen_images(settings, dataset)
  if settings.task == COLOURING and np.ptp(unseen, axis=-1).max() == 0:
    raise SettingError(
      f"the images of {settings.data_dir or settings.dataset} are grey, so "
      "there are no colours to learn"
    )
  train = image_builders.sampler(settings, dataset.train)
  pair = pairing(settings)
  record = data_record.make(settings.dataset, settings.data_dir, dataset)
  data = {"train": train.data, "unseen": unseen}
  drawn = unseen[:NUM_DRAWN]

  def sample_batch(data, key, n):
    real, _ = train.draw(data["train"], key, n)
    return types.Conditional(real, pair.condition(real))

  def conditions(key, n):
    chosen = jax.random.randint(key, (n,), 0, len(unseen))
    return pair.condition(images.to_unit(unseen[chosen]))

  def build_with_images(settings: ImageToImageSettings) -> Problem:
    def make_game(settings, step):
      return game(settings, pair, conditions, step)

    first_game = make_game(settings, jnp.int32(0))

    def translate(state, key, pixels):
      """Returns samples, the originals and their condition."""
      real = images.to_unit(pixels)
      condition = pair.condition(real)
      samples = first_game.sample(
        state.params, state.variables, key, len(real), condition
      )
      return samples, real, condition

    def measure(state, key, data):
      samples, real, condition = translate(state, key, data["unseen"])
      metrics = {"psnr": image_pairs.psnr(samples, real)}
      if pair.project:
        differences = jax.tree.map(
          lambda x, y: jnp.max(jnp.abs(x - y)),
          pair.condition(samples),
          condition,
        )
        largest = jnp.max(jnp.stack(jax.tree.leaves(differences)))
        metrics["condition_error"] = largest
      return metrics | pair.measure(samples, real, condition)

    def snapshot(state, key):
      samples, _, _ = translate(state, key, drawn)
      return {"samples": images.to_pixels(samples)}

    shown = jax.tree.leaves(pair.condition(images.to_unit(drawn)))[0]
    return builders.problem(
      settings,
      make_game,
      builders.Source(sample_batch, data, record),
      measure,
      snapshot,
      reference={
        "data_samples": drawn,
        "conditions": images.to_pixels(shown),
        "columns": jnp.int32(COLUMNS),
      },
      measures_rarely=True,
      protocol={
        "dataset": settings.dataset,
        "unseen_images": f"{len(unseen)} of the test split",
      }
      if settings.evaluate
      else {},
    )

  return build_with_images


def unseen_images(
  settings: ImageToImageSettings, dataset: Dataset
) -> types.Array:
  """Chooses test images to measure with, uint8 [n, h, w, c]."""
  test = dataset.test.pixels
  count = min(settings.evaluation_samples, len(test))
  return jnp.asarray(image_datasets.limited(dataset.test, count).pixels)


def game(
  settings: ImageToImageSettings,
  pair: Pairing,
  conditions: types.Conditions,
  step: types.Array,
) -> games.Game:
  """Makes the game of a U-Net and a discriminator of patches."""
  layers = image_builders.convolutions(settings)
  # A projected image is linear in the network's output.
  generator = image_to_image.Generator(
    channels=settings.image_channels,
    depth=settings.depth,
    activation=None if pair.project else jnp.tanh,
    **layers.generator,
  )
  if pair.project:
    generator = image_to_image.Consistent(generator, pair.project)
  loss = builders.loss(settings)
  squared = settings.reconstruction == "squared"
  return builders.game(
    settings,
    generator,
    image_to_image.Discriminator(
      dcgan.Discriminator(
        depth=settings.depth, patches=True, **layers.discriminator
      )
    ),
    latent_dim=0,
    step=step,
    adversarial_loss=loss._replace(
      generator=lambda real, fake: (
        settings.adversarial_weight * loss.generator(real, fake)
      )
    ),
    conditions=conditions,
    reconstruction=settings.reconstruction_weight,
    distance=jnp.square if squared else jnp.abs,
  )


def score(results: Results) -> np.ndarray:
  """Scores the metric of the task, relative to BEST, clipped to [0, 1].

  Too much energy of details is as bad as too little. Returns [num_seeds,
  num_logs], NaN where samples were not measured.
  """
  task = results.settings["task"]
  if task == SUPER_RESOLUTION:
    ratio = results.sampled("high_frequency_ratio")
    return np.clip(np.fmin(ratio, 1 / ratio) / BEST, 0, 1)
  name = {
    COLOURING: "chroma_intersection",
    EDGES: "edge_overlap",
    INPAINTING: "hole_explained",
  }[task]
  return np.clip(results.sampled(name) / BEST, 0, 1)


FIGURES = {
  "costs.png": lambda results: curves.costs(results),
  "discriminator.png": lambda results: curves.discriminator(results),
  "gradients.png": lambda results: curves.gradients(results),
  "score.png": lambda results: curves.score(results),
  "samples.png": lambda results: image_plots.samples_over_time(results),
  "final.png": lambda results: image_plots.generated_from_conditions(results),
  "training.gif": lambda results: image_plots.animation(results),
}
METRIC_FIGURES = ("score.png",)

_DEFAULTS = ImageToImageSettings(
  generator_learning_rate=2e-4,
  discriminator_learning_rate=2e-4,
  generator_beta1=0.5,
  discriminator_beta1=0.5,
  generator_filters=32,
  discriminator_filters=32,
  discriminator_normalization="batch",
  batch_size=32,
  evaluation_samples=500,
  steps=5000,
)


def _experiment(name: str, source: str, summary: str, **settings: Any):
  return Experiment(
    name,
    source,
    summary,
    _DEFAULTS.replace(**settings),
    build,
    score,
    FIGURES,
    METRIC_FIGURES,
    builder,
    minutes=15,
  )


_PIX2PIX = "pix2pix 2016, arXiv 1611.07004"

EXPERIMENTS = (
  _experiment(
    "super_resolution",
    "AffGAN 2016, arXiv 1610.04490",
    "28 x 28 pixels of pictures of clothes, from 7 x 7",
    dataset="fashion_mnist",
    # Details are many images' choice; the distance prefers their mean.
    reconstruction="squared",
    reconstruction_weight=10.0,
  ),
  _experiment(
    "colouring",
    _PIX2PIX,
    "colours of small grey photographs",
    task=COLOURING,
    dataset="cifar10",
    image_size=32,
    image_channels=3,
  ),
  _experiment(
    "edges_to_image",
    _PIX2PIX,
    "pictures of clothes from their edges",
    task=EDGES,
    dataset="fashion_mnist",
  ),
  _experiment(
    "inpainting",
    "context encoders 2016, arXiv 1604.07379",
    "the middle of pictures of clothes, from what is around it",
    task=INPAINTING,
    dataset="fashion_mnist",
  ),
)
