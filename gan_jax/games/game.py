"""What a game is, and the gradients of its two players."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

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
  """Two players, each of whom minimises a cost that both parameters set.

  A game need not be made of networks: f(x, y) = x y is one, whose `sample` may
  return the generator's parameter.

  Attributes:
    init: key -> (params, variables), each a `Players`.
    costs: (params, variables, batch, key) -> (costs, (variables, metrics)):
      a scalar cost for each player, the updated variables, and further scalars
      worth logging. Pure; the key draws the latents and the dropout masks.
    sample: (params, variables, key, n) -> [n, ...] generated samples; a
      class-conditional game's takes their labels [n] too.
    gradients: (params, variables, batch, key) -> (gradients, costs, (variables,
      metrics)), the gradient of each player's cost in its own parameters and
      what `costs` returns; None where `pullbacks` of the costs will do.
    discriminate: (params, variables, x [n, ...]) -> logits [n], without
      dropout; None for a game without a discriminator on data.
  """

  init: Callable[[PRNGKey], tuple[Players[Params], Players[Variables]]]
  costs: Costs
  sample: Callable[..., Array]
  gradients: Gradients | None = None
  discriminate: (
    Callable[[Players[Params], Players[Variables], Array], Array] | None
  ) = None


def pullbacks(costs: Costs) -> Gradients:
  """Takes both players' gradients as two pullbacks of one forward pass.

  Args:
    costs: of a game.

  Returns:
    (params, variables, batch, key) -> (gradients, costs, (variables, metrics)).
  """

  def gradients(params, variables, batch, key):
    values, pull, auxiliary = jax.vjp(
      lambda params: costs(params, variables, batch, key), params, has_aux=True
    )
    chex.assert_rank(values, 0)
    one, zero = (
      jax.tree.map(like, values) for like in (jnp.ones_like, jnp.zeros_like)
    )
    (of_generator,) = pull(zero._replace(generator=one.generator))
    (of_discriminator,) = pull(zero._replace(discriminator=one.discriminator))
    gradients = Players(of_generator.generator, of_discriminator.discriminator)
    return gradients, values, auxiliary

  return gradients
