"""The type of a game, and the gradients of its two players."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import optax

from gan_jax.types import (
  Array,
  Batch,
  Metrics,
  Params,
  Players,
  PRNGKey,
  Variables,
)

Costs = Callable[
  [Players[Params], Players[Variables], Batch, PRNGKey],
  tuple[Players[Array], tuple[Players[Variables], Metrics]],
]

Gradients = Callable[
  [Players[Params], Players[Variables], Batch, PRNGKey],
  tuple[Players[Params], Players[Array], tuple[Players[Variables], Metrics]],
]


class Game(NamedTuple):
  """Two players, each minimising a cost that depends on both's parameters.

  A game need not have networks: f(x, y) = x y is one, whose `sample` may return
  the generator's parameter.

  Attributes:
    init: key -> (params, variables), each a `Players`.
    costs: (params, variables, batch, key) -> (costs, (variables, metrics)):
      a scalar cost for each player, the updated variables, and more scalars to
      log. Pure; the key draws the latents and the dropout masks.
    sample: (params, variables, key, n) -> [n, ...] generated samples; in a
      game with conditions it also takes their condition, and draws it if there
      is none.
    gradients: (params, variables, batch, key) -> (gradients, costs, (variables,
      metrics)): dJ_G/dg and dJ_D/dd, g and d being the players' parameters,
      then the values of `costs`. None means `pullbacks(costs)`.
    discriminate: (params, variables, x [n, ...]) -> logits [n], without
      dropout; in a game with conditions it also takes the condition of x. None
      if the discriminator takes no single samples of data.
  """

  init: Callable[[PRNGKey], tuple[Players[Params], Players[Variables]]]
  costs: Costs
  sample: Callable[..., Array]
  gradients: Gradients | None = None
  discriminate: Callable[..., Array] | None = None


def pullbacks(costs: Costs) -> Gradients:
  """Returns both players' gradients, as two pullbacks of one forward pass."""

  def gradients(params, variables, batch, key):
    values, pull, auxiliary = jax.vjp(
      lambda params: costs(params, variables, batch, key), params, has_aux=True
    )
    chex.assert_rank(values, 0)
    one, zero = optax.tree.ones_like(values), optax.tree.zeros_like(values)
    (generator_slope,) = pull(zero._replace(generator=one.generator))
    (discriminator_slope,) = pull(
      zero._replace(discriminator=one.discriminator)
    )
    gradients = Players(
      generator_slope.generator, discriminator_slope.discriminator
    )
    return gradients, values, auxiliary

  return gradients
