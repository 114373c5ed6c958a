"""Digits tell the codes that they were generated from; are the codes digits?

InfoGAN learns MNIST without labels. Its generator takes, beside noise, one of
ten categories and two continuous codes, and the discriminator learns to find
them in samples. The bound L_I on the information about the category has the
maximum log 10, where every sample tells its category. With the weight 0 in the
generator's cost the discriminator still looks for the codes, and finds little:
nothing makes the generator use them.

As a classifier the code gives a real digit the category that it finds in it,
and each category the digit that suits it best. It is compared with k-means of
pixels, whose ten clusters are named in the same way. In the picture a row is a
category, and a continuous code grows from left to right, from -2 to 2, with the
rest of the latents fixed.

The rates are those of the authors' code. The networks have a quarter of its
channels and no dense layers, and take a quarter of its steps, with batches of
64 in place of 128. The bounds were set before the first run.

Source: Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel, InfoGAN:
Interpretable Representation Learning by Information Maximizing Generative
Adversarial Nets, arXiv 1606.03657.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import optimize
from scipy.cluster import vq

from experiments.configs import infogan as experiment
from experiments.configs.image_settings import read_dataset
from experiments.configs.infogan import InfoGANSettings
from experiments.plots import curves
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  at_most,
  lower_end,
)
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results
from experiments.training import load_run
from gan_jax.data.images import Images
from gan_jax.games.infogan import codes_prior, infer_codes, information
from gan_jax.types import Array

TOLD, FREE = "with the information", "weight 0"
COLORS = {TOLD: curves.GENERATED, FREE: curves.DISCRIMINATOR}
NUM_CATEGORIES = 10
PUBLISHED_ERROR, PUBLISHED_BOUND = 0.05, 2.3
NUM_SAMPLES = 5000
"""Samples whose codes are found."""
NUM_CLUSTERED = 10_000
"""Training images that k-means clusters."""
SWEEP = np.linspace(-2, 2, 10)
NUM_SEEDS = 3


def matched_error(
  categories: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray]:
  """Computes the error of categories [n] under their best names.

  Returns the share of `labels` [n] that are not those of their category, and
  the label of each category, [NUM_CATEGORIES], no two the same.
  """
  counts = np.zeros((NUM_CATEGORIES, NUM_CATEGORIES))
  np.add.at(counts, (categories, labels), 1)
  rows, names = optimize.linear_sum_assignment(counts, maximize=True)
  return 1 - counts[rows, names].sum() / len(labels), names


def clusters_error(train: Images, test: Images, seed: int) -> float:
  """Computes the error of k-means of pixels on test images."""
  fitted, held_out = (
    images.pixels[:count].reshape(min(count, len(images.pixels)), -1) / 255.0
    for images, count in ((train, NUM_CLUSTERED), (test, len(test.pixels)))
  )
  rng = np.random.default_rng(seed)
  centres, _ = vq.kmeans2(fitted, NUM_CATEGORIES, minit="++", rng=rng)
  categories, _ = vq.vq(held_out, centres)
  assert test.labels is not None
  return matched_error(categories, test.labels)[0]


class Codes:
  """The networks of one seed of a run, and what they tell of codes."""

  def __init__(self, results: Results, seed: int):
    """Loads a seed of a finished run."""
    assert results.workdir is not None
    loaded = load_run.load_run(results.workdir, seed, jax.devices()[0])
    assert isinstance(loaded.settings, InfoGANSettings)
    self.settings, state = loaded.settings, loaded.state
    game = experiment.make_game(self.settings, jnp.int32(0))
    discriminator = experiment.networks(self.settings).discriminator
    self.sample = jax.jit(
      lambda key, codes: game.sample(
        state.params, state.variables, key, len(codes), codes
      )
    )
    self.infer = jax.jit(
      lambda x: infer_codes(
        discriminator,
        state.params.discriminator,
        state.variables.discriminator,
        x,
      )
    )

  def measure(self, key: Array) -> tuple[float, float]:
    """Computes the bound on the category, and the error of other codes."""
    draw = codes_prior(NUM_CATEGORIES, self.settings.num_continuous)
    codes_key, noise_key = jax.random.split(key)
    codes = draw(codes_key, NUM_SAMPLES)
    keys = jax.random.split(noise_key, NUM_SAMPLES)
    outputs = image_runs.in_chunks(
      lambda codes, keys: self.infer(self.sample(keys[0], codes)), codes, keys
    )
    bounds = information(outputs, codes, NUM_CATEGORIES)
    errors = outputs[:, NUM_CATEGORIES:] - codes[:, NUM_CATEGORIES:]
    return float(bounds.categories), float(jnp.mean(jnp.square(errors)))

  def sweep(self, key: Array, index: int, order: np.ndarray) -> np.ndarray:
    """Draws rows of categories in which a continuous code grows, as bytes."""
    codes = np.zeros(
      (
        NUM_CATEGORIES,
        len(SWEEP),
        NUM_CATEGORIES + self.settings.num_continuous,
      )
    )
    codes[np.arange(NUM_CATEGORIES), :, order] = 1
    codes[:, :, NUM_CATEGORIES + index] = SWEEP
    # The same noise for all samples: one at a time, with the same key.
    flat = jnp.asarray(codes.reshape(-1, codes.shape[-1]), jnp.float32)
    samples = [self.sample(key, each[None]) for each in flat]
    return image_runs.to_pixels(jnp.concatenate(samples))


def check(
  bounds: Mapping[str, np.ndarray],
  code_errors: np.ndarray,
  errors: np.ndarray,
  clusters: np.ndarray,
) -> list[Check]:
  """Compares the bounds and errors of seeds, [seeds] each."""
  most = math.log(NUM_CATEGORIES)
  fewer = clusters - errors
  return [
    at_least(
      "bound on the information about the category (nats)",
      bounds[TOLD],
      most,
      "log 10, the greatest; the margin was set before the first run",
      margin=0.1,
      published=PUBLISHED_BOUND,
      place="section 7.1 and figure 1",
    ),
    at_most(
      f"the same bound, {FREE} (nats)",
      bounds[FREE],
      0.0,
      "nothing asks for it; the margin was set before the first run",
      margin=0.5,
    ),
    at_most(
      "mean squared error of the continuous codes",
      code_errors,
      1 / 6,
      "half of their variance; set before the first run",
      margin=0.05,
    ),
    at_most(
      "error of the category as a classifier of test digits",
      errors,
      PUBLISHED_ERROR,
      "the publication; the margin was set before the first run",
      margin=0.15,
      published=PUBLISHED_ERROR,
      place="section 7.2",
    ),
    at_least(
      f"error of k-means of pixels minus that, mean {np.mean(fewer):.3f}; "
      "lower end of the interval over seeds",
      lower_end(fewer),
      0.0,
      "k-means sees no shapes; set before the first run",
    ),
  ]


def compute(inputs: Inputs) -> Computed:
  """Finds the codes of samples and of test digits, for each seed."""
  runs = {name: inputs.runs[name] for name in COLORS}
  measured = {name: [] for name in runs}
  errors, clusters, names_of_seeds, shown = [], [], [], None
  for name, results in runs.items():
    for seed in map(int, results.seeds):
      codes = Codes(results, seed)
      key = jax.random.key(seed)
      measured[name].append(codes.measure(key))
      if name == FREE:
        continue
      dataset = read_dataset(codes.settings)
      assert dataset.test.labels is not None
      outputs = image_runs.in_chunks(
        codes.infer, image_runs.to_units(dataset.test.pixels)
      )
      categories = np.argmax(outputs[:, :NUM_CATEGORIES], axis=1)
      error, names = matched_error(categories, dataset.test.labels)
      errors.append(error)
      names_of_seeds.append(names)
      clusters.append(clusters_error(dataset.train, dataset.test, seed))
      if shown is None:
        shown = [codes.sweep(key, index, np.argsort(names)) for index in (0, 1)]
  numbers = {name: np.array(values).T for name, values in measured.items()}
  bounds = {name: values[0] for name, values in numbers.items()}
  checks = check(bounds, numbers[TOLD][1], np.array(errors), np.array(clusters))
  return Computed(
    checks,
    {
      "sweeps": shown,
      "curves": {
        name: (results.steps, results.metrics["code_information"])
        for name, results in runs.items()
      },
      "errors": {"category": errors, "k-means": clusters},
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples of all categories, the bounds, and the errors."""
  figure, panels = curves.grid(4, 4, (15, 4.6))
  pictures.headline(
    figure,
    "InfoGAN on MNIST without labels: rows are categories, by the digit that "
    "suits them best",
  )
  for number, (axes, pixels) in enumerate(
    zip(panels[:2], drawn["sweeps"], strict=True)
  ):
    title = f"code {number + 1} from {SWEEP[0]:g} to {SWEEP[-1]:g}"
    pictures.show_images(axes, pixels, len(SWEEP), title)
  bound, errors = panels[2:]
  for name, (steps, values) in drawn["curves"].items():
    for index, of_seed in enumerate(values):
      bound.plot(
        steps, of_seed, color=COLORS[name], lw=1, label="_" * index + name
      )
  bound.axhline(
    math.log(NUM_CATEGORIES),
    color=curves.DATA,
    label="log 10",
    **curves.REFERENCE,
  )
  bound.set_ylim(-0.6, 2.5)
  bound.set_title("L_I of the category (nats), each seed", fontsize=10)
  curves.step_axis(bound)
  bound.locator_params(axis="x", nbins=4)
  _draw_errors(errors, drawn["errors"])
  return curves.legend(figure)


def _draw_errors(axes: Axes, errors: Mapping[str, list[float]]) -> None:
  """Draws the errors of all seeds, and the published one."""
  for position, values in enumerate(errors.values()):
    axes.bar(position, np.mean(values), 0.6, color=curves.FRAME, alpha=0.5)
    axes.plot([position] * len(values), values, "o", color=curves.DATA, ms=4)
  axes.axhline(
    PUBLISHED_ERROR,
    color=curves.AVERAGE,
    label="published error",
    **curves.REFERENCE,
  )
  axes.set_xticks(range(len(errors)), errors)
  axes.set_ylim(0, None)
  axes.set_title("errors on test digits", fontsize=10)


_COMMON = {
  "generator_filters": 16,
  "discriminator_filters": 16,
  # The figure measures what it needs.
  "evaluate": False,
  "batch_size": 64,
}
_STEPS = {TOLD: 1200, FREE: 500}

REPRODUCTION = Reproduction(
  id="infogan_codes",
  source="InfoGAN 2016, arXiv 1606.03657",
  summary="samples tell their codes; whether an unlabelled code is a digit",
  minutes=8,
  compute=compute,
  draw=draw,
  trainings={
    TOLD: Training(
      "infogan_mnist", {**_COMMON, "steps": _STEPS[TOLD]}, NUM_SEEDS
    ),
    FREE: Training(
      "infogan_mnist",
      {**_COMMON, "steps": _STEPS[FREE], "information_weight": 0.0},
      NUM_SEEDS,
    ),
  },
)
