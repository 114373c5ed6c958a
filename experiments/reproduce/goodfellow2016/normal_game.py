"""The linear generator against the best discriminator, on normal data."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from experiments.plots import curves
from gan_jax import games, losses
from gan_jax.data import densities
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.affine import Affine
from gan_jax.types import Array, Players

LOSSES: Mapping[str, AdversarialLoss] = {
  "minimax": losses.minimax(),
  "non-saturating": losses.non_saturating(),
  "maximum likelihood": losses.maximum_likelihood(),
}
"""The tutorial's three games by name; its costs are half of these."""
STYLES: Mapping[str, Mapping[str, Any]] = {
  "minimax": {"color": curves.DISCRIMINATOR, "linestyle": "--"},
  "non-saturating": {"color": curves.AVERAGE, "linestyle": "-."},
  "maximum likelihood": {"color": curves.GENERATED, "linewidth": 2.5},
}


def gradient(
  loss: AdversarialLoss,
  data: tuple[float, float],
  mean: float | Array,
  stddev: float | Array,
  latents: Array,
) -> tuple[Array, Array]:
  """Computes the generator's gradient with D* = p / (p + q) held fixed.

  Args:
    loss: the loss of the game.
    data: mean and standard deviation of p.
    mean: mean of the generator's density q.
    stddev: standard deviation of q.
    latents: [n, 1], the minibatch.

  Returns:
    dJ_G / dmean and dJ_G / dstddev.
  """

  def log_density_ratio(params, x):
    q = densities.normal(params["mean"][0], params["stddev"][0])
    return densities.normal(*data).log_prob(x) - q.log_prob(x)

  game = games.against_optimal(
    Affine(), log_density_ratio, loss, lambda key, n: latents
  )
  params = {"mean": jnp.reshape(mean, 1), "stddev": jnp.reshape(stddev, 1)}
  # The generator's gradient depends neither on real samples nor on the key.
  gradients, _, _ = games.pullbacks(game.costs)(
    Players(params, {}),
    Players({}, {}),
    jnp.zeros_like(latents),
    jax.random.key(0),
  )
  return gradients.generator["mean"][0], gradients.generator["stddev"][0]
