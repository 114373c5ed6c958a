"""The toy data of WGAN-GP, noisy copies of it, and critics between the two.

The generator is held at data + N(0, I). For a mixture of Gaussians, or the
Swiss roll with its noise, such samples have a density of the same family, with
variance s^2 + 1. As in the authors' code the data has a standard deviation of
about 1: the ring of radius 2 and deviation 0.02 is divided by 1.414, the grid
of spacing 2 and deviation 0.05 by 2.828, and the roll by 7.5.

The critics follow the paper in these settings: three layers of rectified units,
minibatches of 256, Adam with decays 0.5 and 0.9, a penalty weight of 10, and
RMSProp with weights clipped to +-0.01. They are smaller and faster, because
they train for a minute on two cores instead of 10^5 steps and more: 128 units a
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
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats
from scipy.stats import qmc

from experiments.reproduce.common import training_loops
from experiments.reproduce.wgangp2017 import optimal_critic
from gan_jax import losses, penalties
from gan_jax.data import densities
from gan_jax.data.densities import Density
from gan_jax.metrics import slopes
from gan_jax.networks.mlp import MLP
from gan_jax.penalties import Penalty

SEEDS = range(2)
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


METHODS = {
  "weight clipping": Method(
    MLP((WIDTH,) * 3, features=1, kernel_init=within_limits),
    clipped(1e-3, LIMIT),
    None,
    2000,
  ),
  "gradient penalty": Method(
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
    objectives: E_p D - E_q D on held-out samples, [seeds].
    slopes: slopes on held-out interpolates, [seeds, n].
    kernels: all weights except biases, [seeds, n].
  """

  values: np.ndarray
  objectives: np.ndarray
  slopes: np.ndarray
  kernels: np.ndarray


def train_method(data: str, method: Method) -> training_loops.TrainedCritics:
  """Trains the critics of one data set with one method."""
  return training_loops.train_critics(
    density(data),
    density(data, NOISE),
    method.network,
    losses.wasserstein(),
    method.optimizer,
    num_steps=method.num_steps,
    batch_size=BATCH,
    seeds=SEEDS,
    x=PLANE,
    penalty=method.penalty,
  )


@functools.cache
def trained_critics(data: str, name: str) -> Critics:
  """Trains and measures the critics of one data set and one of `METHODS`.

  The result is cached, because two figures show the same critics.
  """
  method = METHODS[name]
  found = train_method(data, method)
  keys = jax.random.split(jax.random.key(1), 3)
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
    np.asarray(objectives),
    np.asarray(steepness),
    np.concatenate(kernels, axis=1),
  )


@functools.cache
def best(data: str) -> optimal_critic.Optimal:
  """Finds the best critic by optimal transport, without a network.

  The data is represented by its centres, of which the Swiss roll has 100. The
  noise of the data is small compared with the added noise.
  """
  blurred = density(data, NOISE)
  atoms = np.asarray(blurred.modes, float)
  uniform = qmc.Sobol(2, rng=0).random(NUM_NOISES)
  noise = float(blurred.mode_stddev[0]) * stats.norm.ppf(uniform)
  sample = (atoms[:, None] + noise).reshape(-1, 2)
  return optimal_critic.best(atoms, sample)


def wasserstein_1(data: str) -> float:
  """Returns the Wasserstein-1 distance of real and generated samples."""
  return best(data).wasserstein_1


def best_values(data: str) -> np.ndarray:
  """Evaluates the best critic on the plane, [121, 121]."""
  return best(data).critic(PLANE).reshape(len(LINE), len(LINE))


def real_samples(data: str, n: int) -> np.ndarray:
  """Draws samples [n, 2] of the data for the picture."""
  return np.asarray(density(data).sample(jax.random.key(0), n))
