"""The toy data of WGAN-GP, and critics that compare it with noisy copies.

The generator is held at data + N(0, I). For a mixture of Gaussians, or the
Swiss roll with its noise, such samples have a density of the same family, with
variance s^2 + 1. As in the authors' code the data has a standard deviation of
about 1: the ring of radius 2 and deviation 0.02 is divided by 1.414, the grid
of spacing 2 and deviation 0.05 by 2.828, and the roll by 7.5.

The critics follow the paper in these settings: three layers of rectified units,
minibatches of 256, Adam with decays 0.5 and 0.9, a penalty weight of 10, and
RMSProp with weights clipped to +-0.01. They are smaller and faster, because
they train for minutes on two cores instead of 10^5 steps and more: 128 units a
layer instead of 512, 2,000 and 3,000 steps, and rates 50 times (Adam, from
1e-4, here with cosine decay) and 20 times (RMSProp, from 5e-5) as high. Clipped
weights start uniformly within the limits. Nine in ten of He's initial weights
are beyond the limits, and the first step would set these to +-0.01 before
anything is learnt.

With a penalty of weight w the best critic is steeper than 1, by W1 / 2w for two
points (see wgan2017's `lipschitz_needed`). The authors' code has the weight
0.1, not 10. With 0.1 the mean slopes on the interpolates are 3.6 to 5.3.

Source: Gulrajani et al., Improved Training of Wasserstein GANs, arXiv
1704.00028, section 3 and figure 1; settings from their code, gan_toy.py.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import optimize, stats
from scipy.spatial import distance
from scipy.stats import qmc

from experiments.reproduce.common import training_loops
from gan_jax import losses, penalties
from gan_jax.data import densities
from gan_jax.data.densities import Density
from gan_jax.metrics import slopes
from gan_jax.networks.mlp import MLP
from gan_jax.penalties import Penalty

NUM_SEEDS = 8
BATCH = 256
WIDTH = 128
LIMIT, WEIGHT = 0.01, 10.0
NOISE = 1.0
RADIUS = 2 / 1.414
DATA = ("8 Gaussians", "25 Gaussians", "Swiss roll")
LINE = np.linspace(-3, 3, 121)
PLANE = np.stack(np.meshgrid(LINE, LINE), axis=-1).reshape(-1, 2)
NUM_HELD_OUT = 10_000
NUM_NOISES = 256


@functools.cache
def density(data: str, noise: float = 0.0) -> Density:
  """Returns the density of one of `DATA`, with noise N(0, noise^2 I) added."""
  if data == "8 Gaussians":
    return densities.ring(8, RADIUS, math.hypot(0.02 / 1.414, noise))
  if data == "25 Gaussians":
    return densities.grid(5, 2 / 2.828, math.hypot(0.05 / 2.828, noise))
  return densities.swiss_roll(stddev=math.hypot(0.25 / 7.5, noise))


class Method(NamedTuple):
  """A method that bounds the slope of a critic, and its training."""

  network: MLP
  optimizer: optax.GradientTransformation
  penalty: Penalty | None
  num_steps: int


def within_limits(key, shape, dtype=jnp.float32):
  """Draws initial weights uniformly within the limits of clipping."""
  return jax.random.uniform(key, shape, dtype, -LIMIT, LIMIT)


def adam(rate: float, num_steps: int) -> optax.GradientTransformation:
  """Returns the optimizer of penalised critics."""
  return optax.adam(
    optax.cosine_decay_schedule(rate, num_steps), b1=0.5, b2=0.9
  )


def clipped(rate: float, limit: float) -> optax.GradientTransformation:
  """Returns the optimizer of clipped critics."""
  return optax.chain(optax.rmsprop(rate), penalties.weight_clipping(limit))


CLIPPED, PENALISED = "weight clipping", "gradient penalty"
METHODS = {
  CLIPPED: Method(
    MLP((WIDTH,) * 3, features=1, kernel_init=within_limits),
    clipped(1e-3, LIMIT),
    None,
    2000,
  ),
  PENALISED: Method(
    MLP((WIDTH,) * 3, features=1),
    adam(5e-3, 3000),
    penalties.gradient_penalty(WEIGHT),
    3000,
  ),
}


class Critics(NamedTuple):
  """Measurements of the trained critics of several seeds.

  Attributes:
    values: values on the plane, [seeds, 121, 121].
    kernels: all weights except biases, [seeds, n].
    objectives: E_p D - E_q D on held-out samples, [seeds].
    slopes: slopes on held-out interpolates, [seeds, n].
    real: held-out samples of the data, [n, 2].
  """

  values: np.ndarray
  kernels: np.ndarray
  objectives: np.ndarray
  slopes: np.ndarray
  real: np.ndarray


@functools.cache
def trained_critics(data: str, name: str, seed: int) -> Critics:
  """Trains and measures the critics of one data set and one of `METHODS`.

  The result is cached, because two figures show the same critics.

  Args:
    data: one of `DATA`.
    name: the method.
    seed: the first of `NUM_SEEDS` seeds.
  """
  method = METHODS[name]
  found = training_loops.train_critics(
    density(data),
    density(data, NOISE),
    method.network,
    losses.wasserstein(),
    method.optimizer,
    num_steps=method.num_steps,
    batch_size=BATCH,
    seeds=range(seed, seed + NUM_SEEDS),
    x=PLANE,
    penalty=method.penalty,
  )
  keys = jax.random.split(jax.random.key(seed), 3)
  real = density(data).sample(keys[0], NUM_HELD_OUT)
  fake = density(data, NOISE).sample(keys[1], NUM_HELD_OUT)
  share = jax.random.uniform(keys[2], (NUM_HELD_OUT, 1))
  between = share * real + (1 - share) * fake

  def measure(params):
    def critic(x):
      values: Any = method.network.apply({"params": params}, x)
      return values[:, 0]

    objective = jnp.mean(critic(real)) - jnp.mean(critic(fake))
    return objective, slopes.slopes(critic, between)

  objectives, steepness = jax.jit(jax.vmap(measure))(found.params)
  kernels = [
    leaf.reshape(len(leaf), -1)
    for leaf in jax.tree.leaves(found.params)
    if leaf.ndim > 2
  ]
  return Critics(
    found.values.reshape(-1, len(LINE), len(LINE)),
    np.concatenate(kernels, axis=1),
    np.asarray(objectives),
    np.asarray(steepness),
    np.asarray(real),
  )


class Optimal(NamedTuple):
  """The Wasserstein-1 distance, and a critic [n, d] -> [n] that attains it."""

  wasserstein_1: float
  critic: Callable[[np.ndarray], np.ndarray]


def best_critic(atoms: np.ndarray, sample: np.ndarray) -> Optimal:
  """Finds the best 1-Lipschitz critic of k points against a sample.

  W1 = max over v of  1/k sum_k v_k - 1/n sum_i D(y_i),
  D(x) = max_k (v_k - |x - a_k|).

  The two terms are the critic's means over the points and over the sample. The
  dual is concave in the potentials v. Its slope in v_k is 1/k minus the share
  of the sample for which the maximum is at k.

  Args:
    atoms: [k, d], points a_k of equal mass.
    sample: [n, d], the sample y_i.

  References:
    Peyre and Cuturi, Computational Optimal Transport, arXiv 1803.00567,
    section 5.2.
  """
  k, n = len(atoms), len(sample)
  costs = distance.cdist(sample, atoms)

  def negative_dual(potentials):
    values = potentials - costs
    owner = np.argmax(values, axis=1)
    shares = np.bincount(owner, minlength=k) / n
    dual = np.mean(potentials) - np.mean(values[np.arange(n), owner])
    return -dual, shares - 1 / k

  found = optimize.minimize(
    negative_dual, np.zeros(k), jac=True, method="L-BFGS-B"
  )
  return Optimal(
    -float(found.fun),
    lambda x: np.max(found.x - distance.cdist(x, atoms), axis=1),
  )


@functools.cache
def best(data: str) -> Optimal:
  """Finds the best critic of one of `DATA` without a network.

  The data is represented by its centres, of which the Swiss roll has 100. The
  noise of the data is small compared with the added noise.
  """
  blurred = density(data, NOISE)
  atoms = np.asarray(blurred.modes, float)
  uniform = qmc.Sobol(2, rng=0).random(NUM_NOISES)
  noise = float(blurred.mode_stddev[0]) * stats.norm.ppf(uniform)
  return best_critic(atoms, (atoms[:, None] + noise).reshape(-1, 2))
