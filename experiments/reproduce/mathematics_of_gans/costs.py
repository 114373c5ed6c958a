"""Identities of the players' costs as functions of the discriminator's logits.

J_D is a cross-entropy over two minibatches. The minimax game is zero-sum. The
derivative of a generator's cost in a logit is -D (minimax), -(1 - D)
(non-saturating) or -exp(logit) (maximum likelihood). All are twice those of
Goodfellow's tutorial, which halves each mean.

The generator learns of data only through D: if D is held, another real batch
does not change its gradient. So the mixed derivatives

  M_ij = d^2 J_G / (df_i dr_j)

in the logits f of generated and r of n real samples are 0. A zero-sum cost has
a term of the real batch, but no mixed one. Relativistic losses are different:
their logits are compared with those of data, and M_ij is

  -s'(r_i - f_i) / n if i = j                (pairing),
  -(s'(E r - f_i) + s'(r_j - E f)) / n^2     (average),

with the slope s' = D (1 - D) of the sigmoid.

References:
  Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, sections 3.2.1-3.2.4 and
    figure 16.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy import special

from experiments.configs import choices
from experiments.reproduce.common.checks import Check, close
from gan_jax import losses

LOSSES = {
  # The tutorial's J_G at D = 1/2, and dJ_G / dlogit at D = d.
  "minimax": (math.log(1 / 2) / 2, lambda d: -d),
  "non_saturating": (-math.log(1 / 2) / 2, lambda d: d - 1),
  "maximum_likelihood": (-1 / 2, lambda d: -d / (1 - d)),
}


def _generator_cost(loss: str, logit: ArrayLike) -> jax.Array:
  """Computes J_G of one generated sample at a logit."""
  # Only the minimax cost depends on a real sample; its log D is 0 here.
  return getattr(losses, loss)().generator(
    jnp.full(1, 1e3), jnp.reshape(logit, 1)
  )


def slopes(
  loss: str, probabilities: Sequence[float] | np.ndarray
) -> np.ndarray:
  """Computes dJ_G / dlogit [n] at D = probabilities [n]."""
  slope = jax.vmap(jax.grad(functools.partial(_generator_cost, loss)))
  return np.asarray(jax.jit(slope)(special.logit(np.asarray(probabilities))))


def _mixed_derivatives(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
  """Computes the largest |M_ij| of each loss from the logits [n] of D."""

  @jax.jit
  def differentiate(r, f):
    return {
      name: jax.jacobian(jax.grad(make().generator, argnums=1))(r, f)
      for name, make in choices.LOSSES.items()
    }

  return {
    name: float(np.max(np.abs(derivatives)))
    for name, derivatives in differentiate(real, fake).items()
  }


def _largest_by_hand(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
  """Computes the largest |M_ij| of the relativistic losses in NumPy."""

  def slope(x):
    return special.expit(x) * special.expit(-x)

  n = len(real)
  from_mean = slope(real.mean() - fake)[:, None] + slope(real - fake.mean())
  return {
    "relativistic_pairing": np.max(slope(real - fake)) / n,
    "relativistic_average": np.max(from_mean) / n**2,
  }


def checks() -> list[Check]:
  """Checks the identities, in float64."""
  rng = np.random.default_rng(0)
  real, fake = rng.normal(1.0, 2.0, 256), rng.normal(-0.5, 1.0, 256)
  probabilities = special.expit(np.concatenate([real, -fake]))
  cross_entropy = -np.mean(np.log(probabilities))
  logits = jnp.asarray(real), jnp.asarray(fake)
  minimax = losses.minimax()
  of_generator = jax.jit(minimax.generator)(*logits)
  identities = [
    close(name, measured, expected, 1e-9, origin)
    for name, measured, expected, origin in (
      (
        "J_D of two minibatches",
        jax.jit(losses.non_saturating().discriminator)(*logits),
        2 * cross_entropy,
        "binary cross-entropy over both minibatches in NumPy, times 2, as the "
        "two means are summed",
      ),
      (
        "minimax J_G",
        of_generator,
        -2 * cross_entropy,
        "E log D + E log(1 - D) in NumPy",
      ),
      (
        "minimax J_G + J_D",
        of_generator + jax.jit(minimax.discriminator)(*logits),
        0.0,
        "closed form: the game is zero-sum",
      ),
    )
  ]
  for loss, (undecided, slope) in LOSSES.items():
    identities.append(
      close(
        f"{loss} J_G / 2 at D = 1/2",
        jax.jit(functools.partial(_generator_cost, loss))(0.0) / 2,
        undecided,
        1e-6,
        "NIPS 2016 tutorial, figure 16, at D = 1/2 (its halves)",
      )
    )
    identities += [
      close(
        f"{loss} slope at D = {d}",
        measured,
        slope(d),
        1e-9,
        "closed form: -D, -(1 - D) or -exp(logit), twice the tutorial's",
      )
      for d, measured in zip((0.1, 0.9), slopes(loss, (0.1, 0.9)), strict=True)
    ]
  batches = real[:4], fake[:4]
  by_hand = _largest_by_hand(*batches)
  identities += [
    close(
      f"largest change of {loss} dJ_G / df_i with r_j",
      measured,
      by_hand.get(loss, 0.0),
      1e-12,
      "closed form: D (1 - D) / n or its sum / n^2"
      if loss in by_hand
      else "closed form: the generator sees data through D only",
    )
    for loss, measured in _mixed_derivatives(*batches).items()
  ]
  return identities
