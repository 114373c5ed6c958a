"""Deep convolutional games on images."""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from experiments import (
  assembly,
  choices,
  console,
  image_data,
  plots,
  plots_images,
)
from experiments.experiment import Experiment
from experiments.fields import SettingError, setting
from experiments.results import Results
from experiments.settings import Settings
from gan_jax.data import images
from gan_jax.data.image_files import FOLDER
from gan_jax.data.images import Images
from gan_jax.metrics import classifier, frechet, kernel, neighbours
from gan_jax.networks import dcgan, resnet
from gan_jax.training import Problem
from gan_jax.types import Array, Labelled, Metrics, Players

NEIGHBOURS = 5
PERFECT_COVERAGE = 1 - 2.0**-NEIGHBOURS
"""Expected of as many samples of the data's own distribution as there are data,
in the limit of many: Naeem et al., "Reliable Fidelity and Diversity Metrics for
Generative Models", arXiv 2002.09797, equation 8."""

_DRAWN = ("frechet_distance", "precision", "recall", "coverage")
"""Metrics that pictures and the score take."""
NUM_DRAWN = 64
COLUMNS = 8
"""Of the images drawn; a conditional game has one for each class instead."""
MAX_CLASS_COLUMNS = 12
MEMORY_ON_DEVICE = 2**30
"""Bytes of pixels up to which the device holds all of them."""

RESNET = "resnet"
LARGE = 64
"""Side from which residual networks are those of SN-GAN for 64 pixels, which
widen with each halving, and not those for 32, which keep one width."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSettings(Settings):
  """Adds images, the networks of DCGAN and how often samples are measured."""

  dataset: str = setting(
    "mnist",
    "what to learn; folder takes --data_dir",
    choices=images.DATASETS,
  )
  data_dir: str = setting(
    "",
    "where the dataset is prepared, or a folder of IDX files, a folder of "
    "images or a zip of images to read instead",
  )
  training_images: int = setting(
    0,
    "how many images of the training split are learnt from, drawn once and the "
    "same for every seed; 0 is all",
    minimum=0,
  )
  image_size: int = setting(
    28, "side of the images in pixels", minimum=8, maximum=1024
  )
  image_channels: int = setting(
    1, "1 for grey, 3 for colour", minimum=1, maximum=3
  )
  architecture: str = setting(
    "dcgan",
    "strided convolutions, or the residual blocks of SN-GAN",
    choices=("dcgan", RESNET),
  )
  depth: int = setting(
    2,
    "halvings of the side, a convolution or a block each; of a residual "
    f"discriminator one less, and one more from {LARGE} pixels",
    minimum=1,
    maximum=8,
  )
  latent_dim: int = setting(
    100, "latents of the generator", minimum=1, maximum=4096
  )
  generator_filters: int = setting(
    64,
    "channels of the generator's last hidden layer; twice as many in each one "
    f"before, but in residual ones under {LARGE} pixels",
    minimum=1,
    maximum=1024,
  )
  generator_normalization: str = setting(
    "batch",
    "of the generator's hidden maps",
    choices=choices.MAP_NORMALIZATIONS,
  )
  discriminator_filters: int = setting(
    64,
    "channels of the discriminator's first layer; twice as many in each next, "
    f"but in residual ones under {LARGE} pixels",
    minimum=1,
    maximum=1024,
  )
  condition: str = setting(
    "none",
    "how classes enter the discriminator of a class-conditional game",
    choices=choices.CONDITIONS,
  )
  compute_dtype: str = setting(
    "float32",
    "what convolutions compute in; parameters stay float32",
    choices=choices.COMPUTE_DTYPES,
  )
  evaluate_every: int = setting(
    0,
    "steps between measurements of samples; 0 is a tenth of the run",
    minimum=0,
  )
  inception_weights: str = setting(
    "",
    "file of Inception's weights, pt_inception-2015-12-05-*.pth of PyTorch or "
    "an .npz of the same arrays, whose features measure samples instead of the "
    "dataset's own classifier; classes are then not judged, and a measurement "
    "takes minutes without an accelerator",
  )

  def check(self, given: Iterable[str] = ()) -> None:
    super().check(given)
    if self.evaluation_samples <= NEIGHBOURS:
      raise SettingError(
        f"--evaluation_samples={self.evaluation_samples} is too few: images "
        f"are measured by their {NEIGHBOURS} nearest neighbours; it must be at "
        f"least {NEIGHBOURS + 1}"
      )
    if self.dataset == FOLDER and not self.data_dir:
      raise SettingError(
        f"--dataset={FOLDER} needs --data_dir, a folder or zip of images"
      )
    if self.image_channels == 2:
      raise SettingError("--image_channels must be 1 or 3, not 2")
    if self.image_size % 2**self.depth:
      raise SettingError(
        f"--depth={self.depth} cannot halve --image_size={self.image_size} "
        "so often"
      )
    halvings = self.discriminator_halvings()
    if not halvings or self.image_size % 2**halvings:
      raise SettingError(
        f"--architecture={self.architecture} with --depth={self.depth} halves "
        f"the discriminator's {self.image_size} pixels {halvings} times, which "
        "cannot be"
      )
    classless = {"packing": self.packing > 1, "replay_size": self.replay_size}
    for name, is_on in classless.items():
      if self.condition != "none" and is_on:
        raise SettingError(
          f"--{name}={getattr(self, name)} makes no sense with "
          f"--condition={self.condition}: the samples would lose their classes"
        )

  def discriminator_halvings(self) -> int:
    """Returns how often the discriminator halves an image."""
    if self.architecture != RESNET:
      return self.depth
    return self.depth + (1 if self.image_size >= LARGE else -1)

  def evaluation_interval(self) -> int:
    return self.evaluate_every or max(1, self.steps // 10)


def networks(settings: ImageSettings, num_classes: int) -> Players[nn.Module]:
  """Makes the two networks that the settings describe.

  Args:
    settings: of the experiment.
    num_classes: of a class-conditional game; 0 for none.

  Returns:
    The modules.
  """
  generator, discriminator = dcgan.Generator, dcgan.Discriminator
  if settings.architecture == RESNET:
    large = settings.image_size >= LARGE
    widening = 2 if large else 1
    generator = functools.partial(resnet.Generator, widening=widening)
    discriminator = functools.partial(
      resnet.Discriminator,
      plain_blocks=0 if large else 2,
      widening=widening,
    )
  dtype = choices.COMPUTE_DTYPES[settings.compute_dtype]
  spectral = settings.discriminator_normalization == choices.SPECTRAL
  return Players(
    generator=generator(
      size=settings.image_size,
      channels=settings.image_channels,
      depth=settings.depth,
      filters=settings.generator_filters,
      num_classes=num_classes,
      normalize=choices.MAP_NORMALIZATIONS[settings.generator_normalization],
      dtype=dtype,
    ),
    discriminator=discriminator(
      depth=settings.discriminator_halvings(),
      filters=settings.discriminator_filters,
      num_classes=num_classes,
      projection=settings.condition == "projection",
      normalize=(
        None
        if spectral
        else choices.MAP_NORMALIZATIONS[settings.discriminator_normalization]
      ),
      spectral_norm=spectral,
      dropout=settings.discriminator_dropout,
      dtype=dtype,
    ),
  )


class Measurement(NamedTuple):
  """How samples are measured.

  Attributes:
    data: arrays that it needs on the device, by name.
    measure: (samples, their labels or None, data) -> metrics.
    protocol: what a result has to say.
  """

  data: dict[str, Any]
  measure: Callable[[Array, Array | None, dict[str, Any]], Metrics]
  protocol: dict[str, str | int | float]


def _read(settings: ImageSettings, split: str) -> Images:
  """Reads a split of the settings' images; raises SettingError if it cannot."""
  return image_data.read(
    settings.dataset,
    settings.data_dir,
    split,
    settings.image_size,
    settings.image_channels,
  )


def _measurement(
  settings: ImageSettings, train: Images, real: Array
) -> Measurement:
  """Prepares to compare samples with real images.

  Args:
    settings: of the experiment.
    train: the training split.
    real: uint8 [n, h, w, c], those of it that samples are compared with.

  Returns:
    The measurement; of NaN, if there are too few images for one.

  Raises:
    SettingError: if the features cannot be had.
  """
  if len(train.pixels) < classifier.BATCH_SIZE:
    console.say(
      f"{settings.dataset} has {len(train.pixels)} images to learn from, too "
      f"few to measure samples by: that takes {classifier.BATCH_SIZE}"
    )
    unknown = {name: jnp.array(jnp.nan) for name in _DRAWN}
    return Measurement({}, lambda samples, labels, data: unknown, {})
  net = (
    image_data.inception_net(settings.inception_weights)
    if settings.inception_weights
    else image_data.feature_net(
      settings.dataset, train, _read(settings, "test")
    )
  )
  tells_classes = train.labels is not None and not settings.inception_weights
  real_features, _ = jax.jit(lambda apply, x: apply(x))(
    net.features.apply, images.to_unit(real)
  )

  def measure(samples, labels, data):
    features, logits = data["apply"](samples)
    kid = kernel.kernel_distance(data["features"], features)
    scores = neighbours.manifold(data["features"], features, NEIGHBOURS)
    of_classes = {}
    if tells_classes:
      of_classes["classes_covered"] = classifier.classes_covered(logits)
      if labels is not None:
        is_asked = jnp.argmax(logits, axis=1) == labels
        of_classes["label_accuracy"] = jnp.mean(is_asked)
    return {
      "frechet_distance": frechet.frechet_distance(
        data["moments"], frechet.moments(features)
      ),
      "kid": kid.value,
      "kid_standard_error": kid.standard_error,
      **scores._asdict(),
      "classifier_score": classifier.classifier_score(logits),
      **of_classes,
    }

  return Measurement(
    {
      "apply": net.features.apply,
      "features": real_features,
      "moments": frechet.moments(real_features),
    },
    measure,
    {
      **net.protocol,
      "dataset": settings.dataset,
      "real_images": f"{len(real)} of the training split",
      "generated_images": settings.evaluation_samples,
      "neighbours": NEIGHBOURS,
    },
  )


def build(settings: ImageSettings) -> Problem:
  """Builds the game of two convolutional networks on images.

  Args:
    settings: of the experiment.

  Returns:
    The problem.

  Raises:
    SettingError: if the images cannot be had.
  """
  return builder(settings)(settings)


def builder(settings: ImageSettings) -> Callable[[ImageSettings], Problem]:
  """Reads the images once, for games that differ in numbers alone.

  Args:
    settings: of one of the games.

  Returns:
    settings -> the problem, as `build` has it. Their fields that vary may be
    traced; all others are those of `settings`.

  Raises:
    SettingError: if the images cannot be had.
  """
  train = _read(settings, "train")
  conditional = settings.condition != "none"
  if conditional and train.labels is None:
    raise SettingError(
      f"--condition={settings.condition} needs classes, and "
      f"{settings.dataset} has none; images in a folder for each class have"
    )
  class_names = train.class_names if conditional else ()
  num_classes = len(class_names)
  learnt = image_data.limited(train, settings.training_images)
  sampler = images.sampler(learnt, learnt.pixels.nbytes <= MEMORY_ON_DEVICE)

  def sample(data, key, n):
    pixels, labels = sampler.draw(data["train"], key, n)
    return Labelled(pixels, labels) if conditional else pixels

  chosen = np.random.default_rng(0).permutation(len(train.pixels))
  chosen = np.sort(chosen[: settings.evaluation_samples])
  real = jnp.asarray(train.pixels[chosen])
  measurement = _measurement(settings, train, real)
  data = {"train": sampler.data, **measurement.data}
  columns = COLUMNS
  drawn = real[:NUM_DRAWN]
  if train.labels is not None and 0 < num_classes <= MAX_CLASS_COLUMNS:
    columns = num_classes
    drawn = jnp.asarray(train.pixels[_of_each_class(train.labels, num_classes)])

  def build_with_images(settings: ImageSettings) -> Problem:
    players = networks(settings, num_classes)

    def make_game(settings, step):
      return assembly.game(
        settings,
        players.generator,
        players.discriminator,
        settings.latent_dim,
        step,
        num_classes=num_classes,
      )

    game = make_game(settings, jnp.int32(0))

    def sample_classes(state, key, n):
      """Draws n samples, of each class in turn where there are classes."""
      if not conditional:
        return game.sample(state.params, state.variables, key, n), None
      labels = jnp.arange(n) % num_classes
      return game.sample(state.params, state.variables, key, n, labels), labels

    def measure(state, key, data):
      samples, labels = sample_classes(state, key, settings.evaluation_samples)
      return measurement.measure(samples, labels, data)

    def snapshot(state, key):
      samples, _ = sample_classes(state, key, len(drawn))
      return {"samples": images.to_pixels(samples)}

    return assembly.problem(
      settings,
      make_game,
      assembly.Source(sample, data),
      measure,
      snapshot,
      reference={"data_samples": drawn, "columns": jnp.int32(columns)},
      measures_rarely=True,
      protocol=measurement.protocol,
      class_names=class_names,
    )

  return build_with_images


def _of_each_class(labels: np.ndarray, num_classes: int) -> np.ndarray:
  """Returns places of images of class 0, 1, ..., and again, in rows.

  A class with fewer images than rows has them repeated.
  """
  rows = -(-NUM_DRAWN // num_classes)
  places = [np.flatnonzero(labels == own) for own in range(num_classes)]
  return np.stack([np.resize(own, rows) for own in places], axis=1).ravel()


def score(results: Results) -> np.ndarray:
  """Scores the data's manifold covered: coverage / PERFECT_COVERAGE.

  Args:
    results: with `coverage`.

  Returns:
    [num_seeds, num_logs]: 1 for a perfect sampler, 0 for one that is nowhere
    near; NaN where samples were not measured.
  """
  return np.clip(results.sampled("coverage") / PERFECT_COVERAGE, 0, 1)


FIGURES = {
  "costs.png": plots.costs,
  "discriminator.png": plots.discriminator,
  "metrics.png": plots.image_quality,
  "samples.png": plots_images.samples_over_time,
  "final.png": plots_images.real_beside_generated,
  "training.gif": plots_images.animation,
}

_DEFAULTS = ImageSettings(
  generator_learning_rate=2e-4,
  discriminator_learning_rate=2e-4,
  generator_beta1=0.5,
  discriminator_beta1=0.5,
  discriminator_normalization="batch",
  batch_size=64,
  evaluation_samples=2000,
  generator_average=0.0,
  steps=10_000,
)

_SOURCE = "DCGAN 2016, arXiv 1511.06434"

EXPERIMENTS = (
  Experiment(
    name="dcgan_mnist",
    source=_SOURCE,
    summary="convolutional networks on handwritten digits",
    settings=_DEFAULTS,
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="dcgan_fashion_mnist",
    source=_SOURCE,
    summary="convolutional networks on pictures of clothes",
    settings=_DEFAULTS.replace(dataset="fashion_mnist"),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="dcgan_cifar10",
    source=_SOURCE,
    summary="convolutional networks on small photographs",
    settings=_DEFAULTS.replace(
      dataset="cifar10", image_size=32, image_channels=3, depth=3
    ),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="dcgan_faces",
    source=_SOURCE,
    summary="convolutional networks on cartoon faces, drawn on this machine",
    settings=_DEFAULTS.replace(
      dataset=images.FACES,
      image_size=64,
      image_channels=3,
      depth=4,
      # Drawn faces need half the published channels, which train in a third of
      # the time.
      generator_filters=32,
      discriminator_filters=32,
      # Areas of one colour are told from generated ones at a glance: without a
      # faster generator, and noise to the end, the discriminator soon wins.
      generator_learning_rate=5e-4,
      instance_noise=0.3,
      instance_noise_decay="none",
      steps=3000,
    ),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="conditional_mnist",
    source="Conditional GAN 2014, arXiv 1411.1784; projection 2018",
    summary="digits of a class that is asked for",
    settings=_DEFAULTS.replace(condition="projection"),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
)
