"""A linear generator against a weighted sum of bumps, trained and solved.

The generator is x = |s| z + mu with z ~ N(0, 1). The discriminator's logit is a
bias plus a weighted sum of five bumps, whose weights decay, and the losses are
the non-saturating ones. The library plays the game on quantiles. NumPy solves
it on densities.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from scipy import optimize, special

from gan_jax import games, losses, steps
from gan_jax.dynamics import stability
from gan_jax.networks.affine import Affine
from gan_jax.types import Array, Players

CENTRES = np.linspace(-2, 2, 5)
WIDTH = 0.7
DECAY = 0.03
RATE = 0.5
NUM_STEPS = 3000
BATCH_SIZE = 500
NUM_SEEDS = 6
POINTS = np.linspace(-4, 4, 201)
"""Points at which the discriminator is evaluated."""


class Mode(NamedTuple):
  """A normal component of the data: its weight, mean and deviation."""

  share: float
  mean: float
  stddev: float


class Bumps(nn.Module):
  """The discriminator."""

  @nn.compact
  def __call__(self, x: Array, train: bool = False) -> Array:
    """Maps samples [n, 1] to logits [n, 1]."""
    del train
    offsets = (x - CENTRES[None]) / WIDTH
    return nn.Dense(1)(jnp.exp(-0.5 * jnp.square(offsets)))


def minibatch(modes: Sequence[Mode]) -> Array:
  """Returns quantiles of the modes in proportion to their weights, [n, 1]."""
  return jnp.concatenate(
    [
      mode.mean + mode.stddev * _quantiles(round(mode.share * BATCH_SIZE))
      for mode in modes
    ]
  )


def _quantiles(size: int) -> Array:
  """Returns [size, 1] quantiles of N(0, 1), at midpoints of equal masses."""
  return jax.scipy.special.ndtri((jnp.arange(size) + 0.5) / size)[:, None]


@jax.jit
def play(batch: Array) -> dict[str, Array]:
  """Plays simultaneous SGD from several starts.

  Args:
    batch: [n, 1], the data of every step; the latents are quantiles too.

  Returns:
    Values of shape [num_seeds, ...]:
    "generator's block, start" (or "end"), "discriminator's block, ...": the
      Hessian of each player's cost in its parameters;
    "J, start" and "J, end": the Jacobian of the field;
    "a step": the Jacobian of a step at the end;
    "generator" and "discriminator": [num_seeds, num_steps], the norm of each
      player's gradient;
    "mean" and "deviation": the generator at the end;
    "probability": the discriminator at the end, at `POINTS`.
  """
  game = games.adversarial(
    Affine(),
    Bumps(),
    losses.non_saturating(),
    lambda key, n: _quantiles(n),
    discriminator_l2=DECAY,
  )

  def init(seed):
    return jax.tree.map(lambda x: x.astype(batch.dtype), game.init(seed))

  optimizers = Players(optax.sgd(RATE), optax.sgd(RATE))
  step = steps.simultaneous(game, optimizers)
  # The game uses no randomness.
  key = jax.random.key(0)

  def where(state):
    return game, state.params, state.variables, batch, key

  def examine(state, when):
    blocks = stability.local_nash(*where(state)).hessians
    return {
      f"generator's block, {when}": blocks.generator,
      f"discriminator's block, {when}": blocks.discriminator,
      f"J, {when}": stability.field_jacobian(*where(state)),
    }

  def play_seed(seed):
    start = steps.init_state(game._replace(init=init), optimizers, seed)

    def body(state, _):
      norms = stability.local_nash(*where(state)).gradient_norms
      return step(state, batch, key)[0], norms

    end, norms = jax.lax.scan(body, start, length=NUM_STEPS)
    generator, discriminator = end.params
    logits, _ = Bumps().apply(
      {"params": discriminator}, jnp.asarray(POINTS)[:, None], mutable=[]
    )
    return {
      **examine(start, "start"),
      **examine(end, "end"),
      "a step": stability.step_jacobian(step, end, batch, key),
      "generator": norms.generator,
      "discriminator": norms.discriminator,
      "mean": generator["mean"][0],
      "deviation": jnp.abs(generator["stddev"][0]),
      "probability": jax.nn.sigmoid(logits[:, 0]),
    }

  return jax.vmap(play_seed)(jax.random.split(jax.random.key(1), NUM_SEEDS))


def normal(x: np.ndarray, mean: float, stddev: float) -> np.ndarray:
  """Computes N(x; mean, stddev^2)."""
  scaled = (x - mean) / stddev
  return np.exp(-0.5 * scaled**2) / (stddev * math.sqrt(2 * math.pi))


def density(x: np.ndarray, modes: Sequence[Mode]) -> np.ndarray:
  """Computes the density of the data."""
  parts = [mode.share * normal(x, mode.mean, mode.stddev) for mode in modes]
  return np.sum(parts, axis=0)


def _field(point: np.ndarray, modes: Sequence[Mode]) -> np.ndarray:
  """Evaluates v = (dJ_G/dg, dJ_D/dd) at (mu, s, bias, weights).

    dJ_G/d(mu, s) = -E_z S(-D) dD/dx (1, z),
    dJ_D/dw = E_z S(D) b - E_p S(-D) b + decay w,

  where S is the sigmoid, D the logit and b the bumps. The bump of the bias is
  1, and the bias does not decay.
  """
  # The trapezoidal rule is exact to rounding, as the densities vanish there.
  nodes, spacing = np.linspace(-8, 8, 2001, retstep=True)
  p, q = spacing * density(nodes, modes), spacing * normal(nodes, 0, 1)
  weights = point[2:]

  def bumps(x):
    offsets = (x[:, None] - CENTRES) / WIDTH
    return np.insert(np.exp(-0.5 * offsets**2), 0, 1, axis=1), offsets / WIDTH

  real, _ = bumps(nodes)
  fake, ratios = bumps(point[0] + point[1] * nodes)
  slope = -(fake[:, 1:] * ratios) @ weights[1:]
  push = -q * special.expit(-fake @ weights) * slope
  pull = fake.T @ (q * special.expit(fake @ weights))
  pull -= real.T @ (p * special.expit(-real @ weights))
  pull[1:] += DECAY * weights[1:]
  return np.array([push.sum(), push @ nodes, *pull])


def solve(modes: Sequence[Mode]) -> tuple[np.ndarray, np.ndarray]:
  """Finds a root of v, and J = dv/dw there by central differences.

  Returns:
    [n] the root, as (mu, s, bias, weights), and [n, n] the Jacobian.
  """
  guess = np.array([0.0, 1.0, *np.zeros(1 + len(CENTRES))])
  root = optimize.root(_field, guess, (modes,), tol=1e-12).x
  h = 1e-5
  columns = [
    (_field(root + offset, modes) - _field(root - offset, modes)) / (2 * h)
    for offset in h * np.eye(len(root))
  ]
  return root, np.transpose(columns)
