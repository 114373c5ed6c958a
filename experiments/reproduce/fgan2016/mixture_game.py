"""The game of the f-GAN paper's table: a normal q is fitted to a mixture p.

The best normal of a divergence is found by quadrature, and the trained one is
the end of the game of a linear generator with a critic.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.configs.registry import BY_NAME
from experiments.configs.toy_1d import OneDimensionalSettings, data_density
from experiments.reproduce.common import quadrature
from experiments.reproduce.common.figure import Training
from experiments.run_folder.results import Results

EXPERIMENT = "fgan_mixture"
NUM_SEEDS = 8
START = 1.0, 0.4
"""Mean and logarithm of the deviation from which best normals are searched."""
TITLES: Mapping[str, str] = {
  "kl": "KL",
  "reverse_kl": "reverse KL",
  "jensen_shannon": "JS",
  "jeffrey": "Jeffrey",
  "pearson": "Pearson",
  "neyman": "Neyman",
  "squared_hellinger": "squared Hellinger",
}

Divergence = Callable[[str, jax.Array, jax.Array, jax.Array], jax.Array]
"""(name, p, q, weights) -> the divergence of densities at points."""


def data() -> jax.Array:
  """Evaluates the density of the mixture at the points of the quadrature."""
  settings = BY_NAME[EXPERIMENT].settings
  assert isinstance(settings, OneDimensionalSettings)
  x, _ = quadrature.axis()
  return jnp.exp(data_density(settings).log_prob(x[:, None]))


def best_normal(
  divergence: Divergence, name: str
) -> tuple[float, float, float]:
  """Finds mean, deviation and divergence of the best normal.

  Call it with float64 enabled.
  """
  _, weights = quadrature.axis()
  p = data()
  return quadrature.best_normal(
    lambda q: divergence(name, p, q, weights), START
  )


def trained_normals(run: Results) -> np.ndarray:
  """Returns mean and deviation of each seed's last generator, [num_seeds, 2].

  The logarithm of a normal density is a parabola. Fitting it is exact, unlike
  moments of samples, and needs no tails, unlike an integral.
  """
  x = run.snapshots["x"]
  fits = []
  for density in run.snapshots["generated_density"][:, -1]:
    # -x^2 / (2 sigma^2) + x mu / sigma^2 + ...
    square, linear, _ = np.polyfit(x, np.log(density), 2)
    fits.append((-linear / (2 * square), math.sqrt(-1 / (2 * square))))
  return np.array(fits)


def training(
  name: str, num_seeds: int = NUM_SEEDS, **settings: Any
) -> Training:
  """Returns the training with a divergence, with some settings changed."""
  shared = {"evaluation_samples": 10_000, "log_every": 100}
  return Training(
    EXPERIMENT, {"loss": f"f_{name}", **shared, **settings}, num_seeds
  )
