"""LAPGAN draws images from coarse to fine, and each level uses its condition.

A level adds the band h of details to the coarser image I, doubled: c = u(I). In
a real pyramid h = J - u(d(J)) with d(J) = I, so the condition determines the
coarse part of the band,

  d(h) = I - d(u(I)).

Generated bands must have it too, in correlation over all pixels, and bands of
other images must not. The discriminator of a level must find a band likelier
under its condition than under that of another image. A level that ignored its
condition would have a correlation of 0, and its discriminator a share of 1/2.

The Fréchet distance is compared with that of a one-step DCGAN whose training
step has as many operations, as XLA counts them; it has three times the
parameters. All bounds were set before the first run. The publication has other
and larger networks, which learn for much longer, and the discriminator of a
level sees h + c in place of h and c.

Source: Denton, Chintala, Szlam and Fergus, Deep Generative Image Models using a
Laplacian Pyramid of Adversarial Networks, arXiv 1506.05751.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.configs import lapgan
from experiments.configs.image_settings import read_dataset
from experiments.configs.lapgan import PyramidSettings
from experiments.datasets import image_datasets
from experiments.reproduce.common import image_runs, paired_images, pictures
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  at_most,
  covers,
  lower_end,
)
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from experiments.training import load_run, run_config
from gan_jax.data import pyramids
from gan_jax.games import Game
from gan_jax.games.laplacian_pyramid import (
  level_names,
  of_level,
  sample_levels,
)
from gan_jax.types import Array, Players, PRNGKey

PYRAMID, ONE_STEP = "LAPGAN", "one-step DCGAN"
STEPS = 1500
_COMMON = {"steps": STEPS, "evaluate_every": STEPS // 3}
FILTERS = {
  PYRAMID: {"generator_filters": 16, "discriminator_filters": 32},
  ONE_STEP: {"generator_filters": 34, "discriminator_filters": 34},
}
"""With these channels a training step of both has as many operations."""
NUM_TEST, NUM_SHOWN = 1000, 8
LARGEST_ERROR = 1e-6
_SET_BEFORE = "set before the first run"


def coarse_part(coarse: Array) -> Array:
  """Computes what the halved band of an image is, from the coarser image."""
  return coarse - pyramids.down(pyramids.up(coarse))


def at_levels(images: Array, num_bands: int) -> list[Array]:
  """Returns images [n, h, w, c] at all levels, from coarse to fine."""
  levels = [images]
  for _ in range(num_bands):
    levels.insert(0, pyramids.down(levels[0]))
  return levels


def measure_level(
  game: Game,
  level: tuple[Players[Any], Players[Any]],
  images: Array,
  key: PRNGKey,
) -> dict[str, float]:
  """Measures how a level uses its condition.

  Args:
    game: of the level.
    level: the parameters and the variables of its networks.
    images: [n, h, w, c], the real images of the level.
    key: draws the latents.

  Returns:
    `real` and `made`: the shares of real and generated bands that are likelier
    under their condition than under that of another image, by the
    discriminator. `own` and `other`: the correlation of the coarse parts of
    generated bands with those that their condition demands, and that the
    condition of another image does. `error`: the largest difference of the
    coarse part of a real band from what its condition demands.
  """
  coarse = pyramids.down(images)
  others = jnp.roll(coarse, len(coarse) // 2, axis=0)
  condition, other_condition = pyramids.up(coarse), pyramids.up(others)
  band = images - condition
  made = game.sample(*level, key, len(images), condition)
  assert game.discriminate is not None
  judge: Any = functools.partial(game.discriminate, *level)

  def share(bands):
    return float(
      jnp.mean(judge(bands, condition) > judge(bands, other_condition))
    )

  def correlation(demanded):
    made_part = np.ravel(pyramids.down(made))
    return float(np.corrcoef(made_part, np.ravel(demanded))[0, 1])

  demanded = coarse_part(coarse)
  return {
    "real": share(band),
    "made": share(made),
    "own": correlation(demanded),
    "other": correlation(coarse_part(others)),
    "error": float(jnp.max(jnp.abs(pyramids.down(band) - demanded))),
  }


def measure_seeds(
  workdir: Path, seeds: Sequence[int], images: Sequence[Array], key: PRNGKey
) -> tuple[dict[str, np.ndarray], list[Array]]:
  """Measures the levels of every seed of a run.

  Args:
    workdir: the run folder.
    seeds: those to measure.
    images: real images at all levels, from coarse to fine.
    key: draws the latents.

  Returns:
    The numbers of `measure_level` by size and name, such as "16 real", for each
    seed; and samples of the first seed at all levels.
  """
  measured: dict[str, list[float]] = {}
  drawn = []
  for seed in seeds:
    loaded = load_run.load_run(workdir, int(seed), jax.devices()[0])
    assert isinstance(loaded.settings, PyramidSettings)
    levels = lapgan.level_games(loaded.settings, jnp.int32(0))
    learnt = (loaded.state.params, loaded.state.variables)
    drawn = drawn or sample_levels(levels, *learnt, key, NUM_SHOWN)
    names = level_names(len(levels))
    for game, name, each in zip(levels[1:], names[1:], images[1:], strict=True):
      level = of_level(name, *learnt)
      for quantity, value in measure_level(game, level, each, key).items():
        measured.setdefault(f"{each.shape[1]} {quantity}", []).append(value)
  return {name: np.array(values) for name, values in measured.items()}, drawn


def checks(
  sizes: Sequence[int],
  measured: Mapping[str, np.ndarray],
  frechet: Mapping[str, np.ndarray],
  reconstruction_error: float,
) -> list[Check]:
  """Checks the numbers of `measure_level`, and the Fréchet distances.

  Args:
    sizes: of the images to which bands are added.
    measured: [seeds] by size and name, such as "16 real".
    frechet: [seeds] for LAPGAN and the one-step DCGAN.
    reconstruction_error: the largest difference of an image from the sum of its
      pyramid.
  """
  made = [
    at_most(
      "largest error of photographs, rebuilt from their pyramid",
      reconstruction_error,
      LARGEST_ERROR,
      "the pyramid is invertible",
    ),
    at_least(
      "Fréchet distance, one-step DCGAN minus LAPGAN, lower end",
      lower_end(frechet[ONE_STEP] - frechet[PYRAMID]),
      0.0,
      f"the publication's claim; {_SET_BEFORE}",
    ),
  ]
  for size in sizes:
    of_size = {
      name: measured[f"{size} {name}"]
      for name in ("error", "real", "made", "own", "other")
    }
    made += [
      at_most(
        f"{size} pixels: largest error of the coarse part of real bands",
        float(np.max(of_size["error"])),
        LARGEST_ERROR,
        "d(h) = I - d(u(I))",
      ),
      *(
        at_least(
          f"{size} pixels: share of {bands} bands that D finds likelier under "
          "their condition, lower end",
          lower_end(of_size[name]),
          0.6,
          f"1/2 without the condition; 0.6 {_SET_BEFORE}",
        )
        for name, bands in (("real", "real"), ("made", "generated"))
      ),
      at_least(
        f"{size} pixels: correlation of generated bands with the coarse part "
        "that their condition demands, lower end",
        lower_end(of_size["own"]),
        0.5,
        f"1 in real bands, 0 without the condition; 0.5 {_SET_BEFORE}",
      ),
      covers(
        f"{size} pixels: their correlation with that of another condition",
        of_size["other"],
        0.0,
        0.1,
        f"images are independent; 0.1 {_SET_BEFORE}",
      ),
    ]
  return made


def compute(inputs: Inputs) -> Computed:
  """Measures how levels use their condition, and compares the two systems."""
  run = inputs.runs[PYRAMID]
  assert run.workdir is not None
  _, settings, _ = run_config.read_settings(run.workdir)
  assert isinstance(settings, PyramidSettings)
  count = min(NUM_TEST, settings.evaluation_samples)
  test = image_datasets.limited(read_dataset(settings).test, count)
  real = image_runs.to_units(test.pixels)
  pyramid = pyramids.split(real, settings.num_bands)
  error = float(jnp.max(jnp.abs(pyramids.reconstruct(pyramid) - real)))
  images = at_levels(real, settings.num_bands)
  measured, made = measure_seeds(
    run.workdir, list(run.seeds), images, jax.random.key(inputs.seed)
  )
  other = inputs.runs[ONE_STEP].snapshots["samples"][0, -1][:NUM_SHOWN]
  drawn = {
    PYRAMID: made,
    "photographs": [each[:NUM_SHOWN] for each in images],
    ONE_STEP: at_levels(image_runs.to_units(other), settings.num_bands),
  }
  return Computed(
    checks(
      [each.shape[1] for each in images[1:]],
      measured,
      {
        name: paired_images.final(each, "frechet_distance")
        for name, each in inputs.runs.items()
      },
      error,
    ),
    {title: enlarged(levels) for title, levels in drawn.items()},
  )


def enlarged(levels: Sequence[Array]) -> np.ndarray:
  """Repeats pixels so that images of all levels have the finest one's size.

  Returns bytes [levels n, h, w, c].
  """
  size = levels[-1].shape[1]
  return np.concatenate(
    [
      image_runs.to_pixels(x)
      .repeat(size // x.shape[1], axis=1)
      .repeat(size // x.shape[2], axis=2)
      for x in levels
    ]
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples at all levels, beside photographs and one-step samples."""
  text = "each column is one image, drawn from coarse to fine"
  return pictures.image_panels(text, drawn, (12, 2.0), NUM_SHOWN)


REPRODUCTION = Reproduction(
  id="lapgan_levels",
  source="LAPGAN 2015, arXiv 1506.05751",
  summary="samples drawn from coarse to fine, whose levels use their condition",
  minutes=30,
  compute=compute,
  draw=draw,
  trainings={
    PYRAMID: Training(
      "lapgan_cifar10",
      {**_COMMON, **FILTERS[PYRAMID]},
      paired_images.NUM_SEEDS,
    ),
    ONE_STEP: Training(
      "dcgan_cifar10",
      {**_COMMON, **FILTERS[ONE_STEP]},
      paired_images.NUM_SEEDS,
    ),
  },
)
