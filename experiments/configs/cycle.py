"""Translations between unpaired sets: rings in the plane, faces with glasses.

The set A is what is translated, and B what translations are compared with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etils import epy

from experiments.configs import choices
from experiments.configs.experiment import Experiment
from experiments.configs.fields import is_on, setting
from experiments.configs.image_settings import (
  ConvolutionSettings,
  read_dataset,
  say,
)
from experiments.configs.settings import MLPDiscriminatorSettings, Settings
from experiments.errors import SettingError

if TYPE_CHECKING:
  from experiments.run_folder.results import Results
  from gan_jax.training import Problem

with epy.lazy_imports():
  import jax
  import jax.numpy as jnp
  import numpy as np
  from flax import linen as nn

  from experiments.configs import builders, image_builders
  from experiments.datasets import data_record, image_datasets
  from experiments.plots import curves, toy_2d
  from experiments.plots import images as image_plots
  from gan_jax import games, types
  from gan_jax.data import densities, images
  from gan_jax.games import cycle as cycle_game
  from gan_jax.metrics import modes, translation
  from gan_jax.networks import dcgan, image_to_image, mlp

NUM_DRAWN_SAMPLES, NUM_POINTS = 1000, 64
NUM_DRAWN_IMAGES, COLUMNS = 16, 4

SCALE = 2.0
"""The true map of the plane turns by half of the angle between two modes, and
scales by this factor."""
UNRELATED = 2**0.5
"""Error of a map onto random points of a ring, relative to the ring's radius:
E |x - y|^2 = 2 r^2 for independent x and y."""
BEST_KEPT = 1.0
"""Fraction of translated faces that have glasses, and the same skin, of a
perfect translation that is perfectly classified."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleSettings(Settings):
  """Adds what translations to and fro cost."""

  cycle_weight: float = setting(
    10.0,
    "weight of the distance of samples from their translation to and fro",
    minimum=0,
    heading="Translation to and fro",
  )
  identity_weight: float = setting(
    0.0,
    "weight of the distance of samples of a set from their translation into it",
    minimum=0,
    zero_is_off=True,
  )

  def check_contradictions(self) -> None:
    super().check_contradictions()
    self.check_unavailable(
      ("latent_prior",), "translations to and fro, which have no latents"
    )
    self.check_unavailable(
      (
        "packing",
        "replay_size",
        "instance_noise",
        "discriminator_l2",
        "penalty",
      ),
      "translations to and fro, whose game has two discriminators",
    )
    allowed = ("none", "layer")
    if self.discriminator_normalization not in allowed:
      raise SettingError(
        f"--discriminator_normalization={self.discriminator_normalization} is "
        "not available for translations to and fro: a network has several "
        f"inputs in a step; choose {' or '.join(allowed)}"
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RingsSettings(CycleSettings, MLPDiscriminatorSettings):
  """Adds two rings, and the translating perceptrons."""

  num_modes: int = setting(
    8,
    "number of modes on each ring",
    minimum=2,
    maximum=1000,
    sets_protocol=True,
    heading="Rings",
  )
  mode_stddev: float = setting(
    0.05,
    "standard deviation around each mode of the inner ring, whose radius is 1",
    above=0,
    sets_protocol=True,
  )
  generator_width: int = setting(
    64,
    "units in a hidden layer of each generator",
    minimum=1,
    maximum=8192,
    heading="Perceptrons of the generators",
  )
  generator_depth: int = setting(
    2, "hidden layers of each generator", minimum=0, maximum=64
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GlassesSettings(CycleSettings, ConvolutionSettings):
  """Adds two sets of images by their classes, and the networks' depth."""

  attribute: str = setting(
    "glasses",
    "word in the names of classes that images are translated into; all others "
    "are translated",
    sets_protocol=True,
    heading="Sets of images",
  )
  depth: int = setting(
    2,
    "number of halvings in all networks, each a convolution",
    minimum=1,
    maximum=8,
  )

  def check_contradictions(self) -> None:
    super().check_contradictions()
    self.check_unavailable(
      ("inception_weights",),
      "translations, which a classifier of the dataset measures",
    )
    if self.generator_normalization == "batch":
      raise SettingError(
        "--generator_normalization=batch is not available for translations to "
        "and fro: a network has several inputs in a step"
      )
    if self.image_size % 2**self.depth:
      raise SettingError(
        f"--image_size={self.image_size} must be a multiple of "
        f"{2**self.depth} to be halved --depth={self.depth} times"
      )


def _game(
  settings: CycleSettings,
  generator: nn.Module,
  discriminator: nn.Module,
  conditions: types.Conditions,
) -> games.Game:
  """Makes the game of two equal generators and two equal discriminators."""
  identity = settings.identity_weight
  made = games.cycle(
    {cycle_game.FORWARD: generator, cycle_game.BACKWARD: generator},
    {cycle_game.OF_A: discriminator, cycle_game.OF_B: discriminator},
    builders.loss(settings),
    conditions,
    settings.cycle_weight,
    identity if is_on(identity) else None,
  )
  if not settings.judges_single_samples():
    made = made._replace(discriminate=None)
  return made


def true_map(points: types.Array, num_modes: int) -> types.Array:
  """Maps the inner ring [n, 2] to the outer one."""
  return SCALE * translation.rotated(points, jnp.pi / num_modes)


def build_rings(settings: RingsSettings) -> Problem:
  """Builds the game between two rings of Gaussians."""
  inner = densities.ring(settings.num_modes, 1.0, settings.mode_stddev)
  outer = densities.mixture(
    true_map(inner.modes, settings.num_modes), SCALE * inner.mode_stddev
  )
  generator = mlp.MLP(
    hidden=(settings.generator_width,) * settings.generator_depth,
    features=2,
    kernel_init=choices.INITIALIZERS[settings.initializer](
      settings.initial_scale
    ),
    bias_init=nn.initializers.constant(settings.initial_bias),
  )
  discriminator = builders.mlp_discriminator(settings)

  def make_game(settings, step):
    del step
    return _game(settings, generator, discriminator, inner.sample)

  game = make_game(settings, jnp.int32(0))

  def sample_batch(data, key, n):
    del data
    a_key, b_key = jax.random.split(key)
    return types.Conditional(outer.sample(b_key, n), inner.sample(a_key, n))

  def measure(state, key, data):
    del data
    n = settings.evaluation_samples
    inputs = inner.sample(key, n)
    made, centres = (
      game.sample(state.params, state.variables, key, len(x), x)
      for x in (inputs, inner.modes)
    )
    return {
      "map_error": translation.ring_map_error(
        made, true_map(inputs, settings.num_modes), settings.num_modes
      ),
      "modes_kept_apart": translation.distinct_modes(centres, outer.modes),
      **modes.measure(made, outer),
    }

  reach = 1.25 * SCALE + 3 * SCALE * settings.mode_stddev
  line = jnp.linspace(-reach, reach, NUM_POINTS)
  plane = jnp.stack(jnp.meshgrid(line, line), axis=-1)

  def snapshot(state, key):
    made, centres = (
      game.sample(state.params, state.variables, key, len(x), x)
      for x in (inner.sample(key, NUM_DRAWN_SAMPLES), inner.modes)
    )
    values = builders.discriminator_output(
      settings, game, state, plane.reshape(-1, 2)
    )
    return {
      "samples": made,
      "translated_modes": centres,
      "discriminator": values.reshape(plane.shape[:2]),
    }

  return builders.problem(
    settings,
    make_game,
    builders.Source(sample_batch),
    measure,
    snapshot,
    reference={
      "x": line,
      "y": line,
      "data_samples": outer.sample(jax.random.key(0), NUM_DRAWN_SAMPLES),
      "modes": outer.modes,
      "mode_stddev": outer.mode_stddev[0],
      "translated": inner.modes,
    },
  )


def score_rings(results: Results) -> np.ndarray:
  """Scores 1 - map error / that of an unrelated map, clipped to [0, 1]."""
  return np.clip(1 - results.sampled("map_error") / UNRELATED, 0, 1)


def _class_pairs(names: tuple[str, ...], attribute: str) -> dict[int, int]:
  """Returns for each class of A the class of B that has its name too.

  Raises SettingError if classes do not correspond.
  """
  of_b = [name for name in names if attribute in name]
  pairs = {}
  for label, name in enumerate(names):
    if name not in of_b:
      found = [other for other in of_b if other.startswith(name)]
      pairs[label] = names.index(found[0]) if len(found) == 1 else -1
  if not pairs or -1 in pairs.values():
    raise SettingError(
      f"--attribute={attribute} needs classes such as 'fair' and 'fair with "
      f"{attribute}'; the classes are {', '.join(names) or 'none'}"
    )
  return pairs


def build_glasses(settings: GlassesSettings) -> Problem:
  """Builds a game on images; raises SettingError if they cannot be read."""
  return glasses_builder(settings)(settings)


def glasses_builder(
  settings: GlassesSettings,
) -> Callable[[GlassesSettings], Problem]:
  """Reads the images once, for games that differ only in numeric settings.

  Returns `build_glasses` for settings that differ from these only in fields
  that vary. Raises SettingError if the images cannot be read or have no classes
  with the attribute.
  """
  dataset = read_dataset(settings)
  pairs = _class_pairs(dataset.train.class_names, settings.attribute)

  def of_set(split, labels):
    chosen = np.isin(split.labels, list(labels))
    return split._replace(
      pixels=split.pixels[chosen], labels=split.labels[chosen]
    )

  sources = {
    name: image_builders.sampler(settings, of_set(dataset.train, labels))
    for name, labels in (("a", pairs), ("b", pairs.values()))
  }
  test = of_set(dataset.test, pairs)
  count = min(settings.evaluation_samples, len(test.pixels))
  test = image_datasets.limited(test, count)
  data: dict[str, Any] = {
    **{name: source.data for name, source in sources.items()},
    "unseen": jnp.asarray(test.pixels),
  }
  if settings.evaluate:
    net = image_datasets.feature_net(
      settings.dataset, dataset.train, dataset.test, say
    )
    data["apply"] = net.features.apply
  wanted = jnp.array(
    [pairs[label] for label in np.asarray(test.labels).tolist()]
  )
  of_b = jnp.array(list(pairs.values()))
  record = data_record.make(settings.dataset, settings.data_dir, dataset)
  drawn = data["unseen"][:NUM_DRAWN_IMAGES]

  def sample_batch(data, key, n):
    keys = jax.random.split(key)
    (a, _), (b, _) = (
      sources[name].draw(data[name], each, n)
      for name, each in zip(("a", "b"), keys, strict=True)
    )
    return types.Conditional(b, a)

  def conditions(key, n):
    chosen = jax.random.randint(key, (n,), 0, len(test.pixels))
    return images.to_unit(data["unseen"][chosen])

  layers = image_builders.convolutions(settings)
  generator = image_to_image.Translator(
    image_to_image.Generator(
      channels=settings.image_channels,
      depth=settings.depth,
      activation=None,
      **layers.generator,
    )
  )
  discriminator = dcgan.Discriminator(
    depth=settings.depth, patches=True, **layers.discriminator
  )

  def make_game(settings, step):
    del step
    return _game(settings, generator, discriminator, conditions)

  def build_with_images(settings: GlassesSettings) -> Problem:
    game = make_game(settings, jnp.int32(0))

    def translate(state, key, pixels):
      return game.sample(
        *(state.params, state.variables, key),
        len(pixels),
        images.to_unit(pixels),
      )

    def measure(state, key, data):
      made = translate(state, key, data["unseen"])
      _, logits = data["apply"](jnp.clip(made, -1, 1))
      found = jnp.argmax(logits, axis=1)
      return {
        "attribute_given": jnp.mean(jnp.isin(found, of_b), dtype=float),
        "class_kept": jnp.mean(found == wanted, dtype=float),
      }

    def snapshot(state, key):
      return {"samples": images.to_pixels(translate(state, key, drawn))}

    return builders.problem(
      settings,
      make_game,
      builders.Source(sample_batch, data, record),
      measure,
      snapshot,
      reference={
        "conditions": drawn,
        "data_samples": of_b_images,
        "columns": jnp.int32(COLUMNS),
      },
      measures_rarely=True,
      protocol={
        "dataset": settings.dataset,
        "unseen_images": f"{count} of the test split",
        **net.protocol,
      }
      if settings.evaluate
      else {},
    )

  of_b_images = jnp.asarray(
    of_set(dataset.test, pairs.values()).pixels[:NUM_DRAWN_IMAGES]
  )
  return build_with_images


def score_glasses(results: Results) -> np.ndarray:
  """Scores the fraction of faces that get glasses and keep their skin."""
  return np.clip(results.sampled("class_kept") / BEST_KEPT, 0, 1)


_COMMON_FIGURES = {
  "costs.png": lambda results: curves.costs(results),
  "discriminator.png": lambda results: curves.discriminator(results),
  "gradients.png": lambda results: curves.gradients(results),
  "score.png": lambda results: curves.score(results),
}

EXPERIMENTS = (
  Experiment(
    "cycle_rings",
    "CycleGAN 2017, arXiv 1703.10593",
    "perceptrons translate a ring of Gaussians into another",
    RingsSettings(
      generator_learning_rate=1e-3,
      discriminator_learning_rate=1e-3,
      generator_beta1=0.5,
      discriminator_beta1=0.5,
      steps=4000,
    ),
    build_rings,
    score_rings,
    {
      **_COMMON_FIGURES,
      "modes.png": lambda results: curves.modes(results),
      "samples.png": lambda results: toy_2d.samples_over_time(results),
      "final.png": lambda results: toy_2d.final_2d(results),
      "training.gif": lambda results: toy_2d.animation_2d(results),
    },
    ("score.png", "modes.png"),
  ),
  Experiment(
    "cycle_glasses",
    "CycleGAN 2017, arXiv 1703.10593",
    "cartoon faces get glasses",
    GlassesSettings(
      dataset="faces",
      image_size=32,
      image_channels=3,
      loss="least_squares",
      generator_learning_rate=5e-4,
      # With 2e-4 the discriminators do not learn what glasses are within 1,000
      # steps, and the translations stay the faces.
      discriminator_learning_rate=1e-3,
      generator_beta1=0.5,
      discriminator_beta1=0.5,
      generator_filters=32,
      discriminator_filters=32,
      generator_normalization="layer",
      batch_size=16,
      evaluation_samples=500,
      steps=5000,
    ),
    build_glasses,
    score_glasses,
    {
      **_COMMON_FIGURES,
      "samples.png": lambda results: image_plots.samples_over_time(results),
      "final.png": lambda results: image_plots.generated_from_conditions(
        results
      ),
      "training.gif": lambda results: image_plots.animation(results),
    },
    ("score.png",),
    glasses_builder,
    minutes=15,
  ),
)
