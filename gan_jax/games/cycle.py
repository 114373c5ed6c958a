"""CycleGAN: two translations between unpaired sets, each judged in its set."""

from collections.abc import Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax import sharding
from gan_jax.games.game import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.application import (
  apply_network,
  evaluate_network,
  split_variables,
)
from gan_jax.types import Array, Conditions, Players, PRNGKey

FORWARD, BACKWARD = "forward", "backward"
"""Names of the generators' parameters: of A to B, and of B to A."""
OF_A, OF_B = "of_a", "of_b"
"""Names of the discriminators' parameters."""


def cycle(
  generators: Mapping[str, nn.Module],
  discriminators: Mapping[str, nn.Module],
  loss: AdversarialLoss,
  conditions: Conditions,
  cycle_weight: float | Array = 10.0,
  identity_weight: float | Array | None = None,
) -> Game:
  """Makes the game of G: A -> B and F: B -> A against D_B and D_A.

  The generators minimise, for a of A and b of B that have nothing to do with
  each other,

    L_G(D_B(b), D_B(G(a))) + L_G(D_A(a), D_A(F(b)))
      + w (mean |F(G(a)) - a| + mean |G(F(b)) - b|)
      + v (mean |G(b) - b| + mean |F(a) - a|),

  and the discriminators L_D(D_B(b), D_B(G(a))) + L_D(D_A(a), D_A(F(b))). A
  batch is `Conditional(b, a)`: samples of B are generated under the condition
  of what they are translations of.

  Args:
    generators: modules (x [n, ...], train) -> [n, ...] by FORWARD and BACKWARD.
    discriminators: modules (x [n, ...], train) -> logits [n, 1] by OF_A and
      OF_B.
    loss: both players' costs as functions of the logits.
    conditions: (key, n) -> n samples of A.
    cycle_weight: w, lambda in the paper.
    identity_weight: v, for sets whose samples could be in both; None for none.

  Returns:
    The game; its samples are G(a), and `discriminate` is D_B. Its metrics are
    those of D as in `adversarial`, means over both sets; `cycle`, what w
    multiplies; and `identity`, what v multiplies, if there is a v.

  Raises:
    ValueError: on `init`, if a network has variables other than parameters. A
      network is applied several times in a step, and batch statistics of its
      different inputs would be mixed.

  References:
    Zhu, Park, Isola and Efros, Unpaired Image-to-Image Translation using
      Cycle-Consistent Adversarial Networks, arXiv 1703.10593, eq. 1 to 3 and
      section 5.2 for identity. The paper's loss is `least_squares`.
  """

  def init(key):
    *keys, sample_key = jax.random.split(key, 5)
    a = conditions(sample_key, 1)

    def initialised(network, network_key, x):
      params, variables = split_variables(network.init(network_key, x))
      if variables:
        raise ValueError(
          f"{type(network).__name__} has {', '.join(variables)}; networks of a "
          "cycle can have no variables but parameters"
        )
      return params

    forward = initialised(generators[FORWARD], keys[0], a)
    b: Any = generators[FORWARD].apply({"params": forward}, a)
    return (
      Players(
        {
          FORWARD: forward,
          BACKWARD: initialised(generators[BACKWARD], keys[1], b),
        },
        {
          OF_A: initialised(discriminators[OF_A], keys[2], a),
          OF_B: initialised(discriminators[OF_B], keys[3], b),
        },
      ),
      Players({}, {}),
    )

  def costs(params, variables, batch, key):
    b, a = sharding.split(batch)
    chex.assert_equal(len(a), len(b))
    keys = iter(jax.random.split(key, 16))

    def translate(name, x):
      y, _ = apply_network(
        generators[name], params.generator[name], {}, x, next(keys)
      )
      return y

    def judge(name, x):
      logits, _ = apply_network(
        discriminators[name], params.discriminator[name], {}, x, next(keys)
      )
      chex.assert_shape(logits, (len(x), 1))
      return logits[:, 0]

    made_b, made_a = translate(FORWARD, a), translate(BACKWARD, b)
    logits = [
      (judge(OF_B, b), judge(OF_B, made_b)),
      (judge(OF_A, a), judge(OF_A, made_a)),
    ]
    distance = _distance(translate(BACKWARD, made_b), a) + _distance(
      translate(FORWARD, made_a), b
    )
    generator = sum((loss.generator(*each) for each in logits), jnp.zeros(()))
    generator += cycle_weight * distance
    of_logits = [loss.measure(*each) for each in logits]
    metrics = {
      **jax.tree.map(lambda x, y: (x + y) / 2, *of_logits),
      "cycle": distance,
    }
    if identity_weight is not None:
      kept = _distance(translate(FORWARD, b), b) + _distance(
        translate(BACKWARD, a), a
      )
      generator += identity_weight * kept
      metrics["identity"] = kept
    discriminator = sum(
      (loss.discriminator(*each) for each in logits), jnp.zeros(())
    )
    return Players(generator, discriminator), (variables, metrics)

  def sample(
    params, variables, key: PRNGKey, n: int, condition: Array | None = None
  ):
    del variables
    a = conditions(key, n) if condition is None else condition
    chex.assert_equal(len(a), n)
    return evaluate_network(
      generators[FORWARD], params.generator[FORWARD], {}, a
    )

  def discriminate(params, variables, x, condition=None):
    del variables, condition
    logits = evaluate_network(
      discriminators[OF_B], params.discriminator[OF_B], {}, x
    )
    chex.assert_shape(logits, (len(x), 1))
    return logits[:, 0]

  return Game(init, costs, sample, discriminate=discriminate)


def _distance(x: Array, y: Array) -> Array:
  chex.assert_equal_shape([x, y])
  return jnp.mean(jnp.abs(x - y))
