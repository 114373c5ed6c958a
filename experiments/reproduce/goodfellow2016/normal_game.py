"""The linear generator against the best discriminator, on normal data."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from gan_jax import games, losses
from gan_jax.data import densities
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.affine import Affine
from gan_jax.types import Array, Params, Players

LOSSES: Mapping[str, AdversarialLoss] = {
  "minimax": losses.minimax(),
  "non-saturating": losses.non_saturating(),
  "maximum likelihood": losses.maximum_likelihood(),
}
"""The tutorial's three games by name; its costs are half of these."""


def parameters(mean: float | Array, stddev: float | Array) -> Params:
  """Returns the parameters of the generator of N(mean, stddev^2)."""
  return {"mean": jnp.reshape(mean, 1), "stddev": jnp.reshape(stddev, 1)}


def gradient(
  loss: AdversarialLoss,
  data: tuple[float, float],
  params: Params,
  latents: Array,
) -> Params:
  """Computes the generator's gradient at D* = p / (p + q).

  Args:
    loss: the loss of the game.
    data: mean and standard deviation of p.
    params: parameters of the generator, whose density is q.
    latents: [n, 1], the minibatch.

  Returns:
    The gradient of J_G in the parameters with D* held fixed.
  """

  def log_density_ratio(params, x):
    q = densities.normal(params["mean"][0], params["stddev"][0])
    return densities.normal(*data).log_prob(x) - q.log_prob(x)

  game = games.against_optimal(
    Affine(), log_density_ratio, loss, lambda key, n: latents
  )
  # The generator's gradient depends neither on real samples nor on the key.
  gradients, _, _ = games.pullbacks(game.costs)(
    Players(params, {}),
    Players({}, {}),
    jnp.zeros_like(latents),
    jax.random.key(0),
  )
  return gradients.generator
