"""Identities of the players' costs as functions of the discriminator's logits.

J_D is a cross-entropy over two minibatches. The minimax game is zero-sum. The
derivative of a generator's cost in a logit is -D (minimax), -(1 - D)
(non-saturating) or -exp(logit) (maximum likelihood). All are twice those of
Goodfellow's tutorial, which halves each mean.

References:
  Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, sections 3.2.1-3.2.4 and
    figure 16.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments.reproduce.common.figure import Check
from gan_jax import losses

BATCH = 256
PROBABILITIES = (0.1, 0.9)
LOSSES = {
  "minimax": losses.minimax(),
  "non_saturating": losses.non_saturating(),
  "maximum_likelihood": losses.maximum_likelihood(),
}
# dJ_G / dlogit, with d = sigmoid(logit) and exp(logit) = d / (1 - d).
_SLOPES: dict[str, Callable[[float], float]] = {
  "minimax": lambda d: -d,
  "non_saturating": lambda d: -(1 - d),
  "maximum_likelihood": lambda d: -d / (1 - d),
}
_DIFFERENCE = 1e-4


@jax.jit
def _generator_costs(logits: jax.Array) -> dict[str, jax.Array]:
  """Computes the generators' costs [n] of single samples at logits [n]."""
  # Only the minimax cost depends on a real sample, by log D = 0 at this logit.
  real = jnp.full(1, 1e3)
  return {
    name: jax.vmap(lambda fake, loss=loss: loss.generator(real, fake[None]))(
      logits
    )
    for name, loss in LOSSES.items()
  }


def slopes(probabilities: np.ndarray) -> dict[str, np.ndarray]:
  """Measures dJ_G / dlogit [n] of each loss at D = probabilities [n]."""
  logits = np.log(probabilities / (1 - probabilities))
  above, below = (
    _generator_costs(jnp.asarray(logits + step))
    for step in (_DIFFERENCE, -_DIFFERENCE)
  )
  return {
    name: np.asarray(above[name] - below[name]) / (2 * _DIFFERENCE)
    for name in LOSSES
  }


def _random_logits() -> tuple[np.ndarray, np.ndarray]:
  """Draws the logits of a real and of a generated minibatch."""
  rng = np.random.default_rng(0)
  return rng.normal(1.0, 2.0, BATCH), rng.normal(-0.5, 1.0, BATCH)


def measure() -> dict[str, float]:
  """Measures the identities with the library, in float64."""
  real, fake = (jnp.asarray(logits) for logits in _random_logits())
  minimax, non_saturating = LOSSES["minimax"], LOSSES["non_saturating"]
  of_generator = float(minimax.generator(real, fake))
  measured = {
    "J_D of two minibatches": float(non_saturating.discriminator(real, fake)),
    "minimax J_G": of_generator,
    "minimax J_G + J_D": (
      of_generator + float(minimax.discriminator(real, fake))
    ),
  }
  undecided = _generator_costs(jnp.zeros(1))
  at = slopes(np.array(PROBABILITIES))
  for name in LOSSES:
    measured[f"{name} J_G / 2 at D = 1/2"] = float(undecided[name][0] / 2)
    for probability, slope in zip(PROBABILITIES, at[name], strict=True):
      measured[f"{name} slope at D = {probability}"] = float(slope)
  return measured


def _binary_cross_entropy(real: np.ndarray, fake: np.ndarray) -> float:
  """Returns the mean over 2 n labelled samples of -log P(label)."""
  probabilities = 1 / (1 + np.exp(-np.concatenate([real, fake])))
  labels = np.repeat([1, 0], len(real))
  of_label = np.where(labels == 1, probabilities, 1 - probabilities)
  return float(-np.mean(np.log(of_label)))


def _value(real: np.ndarray, fake: np.ndarray) -> float:
  """Returns E log D(real) + E log(1 - D(fake))."""
  real_probability, fake_probability = (
    1 / (1 + np.exp(-logits)) for logits in (real, fake)
  )
  return float(
    np.mean(np.log(real_probability)) + np.mean(np.log(1 - fake_probability))
  )


_FIGURE_16 = "NIPS 2016 tutorial, figure 16, at D = 1/2 (its halves)"

CHECKS = (
  Check(
    "J_D of two minibatches",
    lambda: 2 * _binary_cross_entropy(*_random_logits()),
    1e-9,
    "binary cross-entropy over both minibatches in NumPy, times 2, as the two "
    "means are summed",
    wrong={
      "swapped labels": lambda: (
        2 * _binary_cross_entropy(*reversed(_random_logits()))
      )
    },
  ),
  Check(
    "minimax J_G",
    lambda: _value(*_random_logits()),
    1e-9,
    "E log D + E log(1 - D) in NumPy",
    wrong={"swapped labels": lambda: _value(*reversed(_random_logits()))},
  ),
  Check(
    "minimax J_G + J_D",
    0.0,
    1e-9,
    "closed form: the game is zero-sum",
    wrong={
      "the non-saturating J_G": lambda: (
        float(np.mean(np.log1p(np.exp(-_random_logits()[1]))))
        - _value(*_random_logits())
      ),
    },
  ),
  *(
    Check(
      f"{name} J_G / 2 at D = 1/2",
      expected,
      1e-6,
      f"{_FIGURE_16}: {algebra}",
      wrong={"of another loss": another},
    )
    for name, expected, algebra, another in (
      ("minimax", -math.log(2) / 2, "1/2 log(1/2) = -0.347", -0.5),
      ("non_saturating", math.log(2) / 2, "-1/2 log(1/2) = 0.347", -0.5),
      ("maximum_likelihood", -0.5, "-1/2 exp(0) = -0.5", -math.log(2) / 2),
    )
  ),
  *(
    Check(
      f"{name} slope at D = {probability}",
      _SLOPES[name](probability),
      1e-5,
      f"closed form: {algebra}, twice the tutorial's",
      wrong={"at 1 - D": _SLOPES[name](1 - probability)},
    )
    for name, algebra in (
      ("minimax", "-D"),
      ("non_saturating", "-(1 - D)"),
      ("maximum_likelihood", "-exp(logit)"),
    )
    for probability in PROBABILITIES
  ),
)
