"""Identities of the players' costs as functions of the discriminator's logits.

J_D is a cross-entropy over two minibatches. The minimax game is zero-sum. The
derivative of a generator's cost in a logit is -D (minimax), -(1 - D)
(non-saturating) or -exp(logit) (maximum likelihood). All are twice those of
Goodfellow's tutorial, which halves each mean.

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
  return identities
