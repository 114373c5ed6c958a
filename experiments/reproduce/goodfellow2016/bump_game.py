"""A linear generator against a weighted sum of bumps, trained and solved.

The generator is x = |s| z + mu with z ~ N(0, 1). The discriminator's logit is a
bias plus a weighted sum of five bumps, whose weights decay, and the losses are
the non-saturating ones. The library plays the game on quantiles. NumPy solves
it on densities.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from scipy import optimize, special

from experiments.reproduce.common import expected
from gan_jax import games, losses, steps
from gan_jax.dynamics import stability
from gan_jax.networks.affine import Affine
from gan_jax.types import Array, Players

CENTRES = np.linspace(-2, 2, 5)
WIDTH = 0.7
DECAY = 0.03
RATE = 0.25
"""At twice this rate one start in ten collapses to a point for a long time."""
NUM_STEPS = 4000
BATCH_SIZE = 500
POINTS = np.linspace(-4, 4, 201)
"""Points at which the discriminator is evaluated."""


class Mode(NamedTuple):
  """A normal component of the data."""

  mean: float
  stddev: float
  share: float


class Bumps(nn.Module):
  """The discriminator."""

  @nn.compact
  def __call__(self, x: Array, train: bool = False) -> Array:
    """Maps samples [n, 1] to logits [n, 1]."""
    del train
    offsets = (x - CENTRES[None]) / WIDTH
    return nn.Dense(1)(jnp.exp(-0.5 * jnp.square(offsets)))


def _quantiles(size: int) -> Array:
  """Returns [size, 1] quantiles of N(0, 1), at midpoints of equal masses."""
  return jax.scipy.special.ndtri((jnp.arange(size) + 0.5) / size)[:, None]


@jax.jit
def _play(batch: Array, seeds: Array) -> dict[str, Array]:
  """Plays on a batch [n, 1] that is the same at every step."""
  game = games.adversarial(
    Affine(),
    Bumps(),
    losses.non_saturating(),
    lambda key, n: _quantiles(n),
    discriminator_l2=DECAY,
  )
  optimizers = Players(optax.sgd(RATE), optax.sgd(RATE))
  step = steps.simultaneous(game, optimizers)
  # The game uses no randomness.
  key = jax.random.key(0)

  def where(state):
    return game, state.params, state.variables, batch, key

  def play_seed(seed):
    start = steps.init_state(game, optimizers, jax.random.key(seed))
    start = start.replace(
      params=jax.tree.map(lambda x: x.astype(batch.dtype), start.params)
    )

    def body(state, _):
      norms = stability.local_nash(*where(state)).gradient_norms
      return step(state, batch, key)[0], norms

    end, norms = jax.lax.scan(body, start, length=NUM_STEPS)
    generator, discriminator = end.params
    logits, _ = Bumps().apply(
      {"params": discriminator}, jnp.asarray(POINTS)[:, None], mutable=[]
    )
    return {
      "J, start": stability.field_jacobian(*where(start)),
      "J, end": stability.field_jacobian(*where(end)),
      "generator": norms.generator,
      "discriminator": norms.discriminator,
      "mean": generator["mean"][0],
      "deviation": jnp.abs(generator["stddev"][0]),
      "probability": jax.nn.sigmoid(logits[:, 0]),
    }

  return jax.vmap(play_seed)(seeds)


def play(modes: Sequence[Mode], seeds: np.ndarray) -> dict[str, np.ndarray]:
  """Plays simultaneous SGD from the start of each seed, in float64.

  The data are quantiles of the modes in proportion to their shares, and the
  latents are quantiles too.

  Returns:
    Values of shape [seeds, ...]:
    "J, start" and "J, end": the Jacobian of the field v;
    "generator" and "discriminator": [seeds, NUM_STEPS], the norm of each
      player's gradient;
    "mean" and "deviation": the generator at the end;
    "probability": the discriminator at the end, at `POINTS`.
  """
  with jax.enable_x64(True):
    batch = jnp.concatenate(
      [
        mode.mean + mode.stddev * _quantiles(round(mode.share * BATCH_SIZE))
        for mode in modes
      ]
    )
    return jax.tree.map(np.asarray, _play(batch, seeds))


def density(x: np.ndarray, modes: Sequence[Mode]) -> np.ndarray:
  """Computes the density of the data."""
  return np.exp(expected.log_mixture(x, *zip(*modes, strict=True)))


def _field(point: np.ndarray, modes: Sequence[Mode]) -> np.ndarray:
  """Evaluates v = (dJ_G/dg, dJ_D/dd) at (mu, s, bias, weights).

    dJ_G/d(mu, s) = -E_z S(-D) dD/dx (1, z),
    dJ_D/dw = E_z S(D) b - E_p S(-D) b + decay w,

  where S is the sigmoid, D the logit and b the bumps. The bump of the bias is
  1, and the bias does not decay.
  """
  # The trapezoidal rule is exact to rounding, as the densities vanish there.
  nodes, spacing = np.linspace(-8, 8, 2001, retstep=True)
  p = spacing * density(nodes, modes)
  q = spacing * np.exp(expected.log_normal(nodes))
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
  """Finds a root (mu, s, bias, weights) of v, and J = dv/dw [n, n] there."""
  guess = np.array([0.0, 1.0, *np.zeros(1 + len(CENTRES))])
  root = optimize.root(_field, guess, (modes,), tol=1e-12).x
  h = 1e-5
  columns = [
    (_field(root + offset, modes) - _field(root - offset, modes)) / (2 * h)
    for offset in h * np.eye(len(root))
  ]
  return root, np.transpose(columns)
