"""Games without networks, whose dynamics are known in closed form.

Params are plain arrays: [] or [d] for each player. The batch is not read, but
by the key and batch of a step these games are played by every rule that plays
networks. Everything is in the dtype of the starting point, so that a closed
form can be checked in float64.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from gan_jax.games import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.penalties import Penalty
from gan_jax.types import Array, Players


def _game(
  start: Players[Array],
  costs: Callable[[Array, Array, Array], Players[Array]],
  sample: Callable[[Array, Array], Array],
) -> Game:
  """Makes a game of two arrays.

  Args:
    start: where both players start.
    costs: (generator, discriminator, key) -> the costs.
    sample: (generator, latents [n, ...]) -> samples [n, ...].

  Returns:
    The game. Its latents are normal, of the generator's shape.
  """
  chex.assert_equal_shape(start)

  def init(key):
    del key
    # A copy, as a compiled step may be given the state to keep.
    return jax.tree.map(jnp.array, start), Players({}, {})

  def game_costs(params, variables, batch, key):
    del batch
    return costs(params.generator, params.discriminator, key), (variables, {})

  def game_sample(params, variables, key, n):
    del variables
    own = params.generator
    return sample(own, jax.random.normal(key, (n, *own.shape), own.dtype))

  return Game(init, game_costs, game_sample)


def bilinear(start: Players[Array]) -> Game:
  """Returns the game f(x, y) = x y.

  J_G = x y,  J_D = -x y,

  with its only equilibrium at 0, about which simultaneous descent of rate h
  spirals outwards, by 1 + h^2 in x^2 + y^2 a step.

  Args:
    start: x and y, both [d]; the product is the inner one. Or both [].

  Returns:
    The game; its samples are copies of x.

  References:
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, section 2.
  """

  def costs(x, y, key):
    del key
    value = jnp.sum(x * y)
    return Players(value, -value)

  return _game(start, costs, lambda x, z: jnp.broadcast_to(x, z.shape))


def quadratic(start: Players[Array], curvature: float | Array) -> Game:
  """Returns the quadratic game.

  J_G = c/2 x^2 + x y,  J_D = c/2 y^2 - x y.

  Its flow spirals into 0 for c > 0. A simultaneous step of rate h multiplies
  x^2 + y^2 by (1 - h c)^2 + h^2; an alternating one has a map of determinant
  (1 - h c)^2.

  Args:
    start: x and y, both [d] or [].
    curvature: c.

  Returns:
    The game; its samples are copies of x.

  References:
    Rosca, Wu, Dherin and Barrett, Discretization Drift in Two-Player Games,
      arXiv 2105.13922, section 4.
  """

  def costs(x, y, key):
    del key
    value = jnp.sum(x * y)
    return Players(
      0.5 * curvature * jnp.sum(jnp.square(x)) + value,
      0.5 * curvature * jnp.sum(jnp.square(y)) - value,
    )

  return _game(start, costs, lambda x, z: jnp.broadcast_to(x, z.shape))


def dirac_gan(
  start: Players[Array], loss: AdversarialLoss, penalty: Penalty | None = None
) -> Game:
  """Returns the Dirac-GAN: data at 0, samples at theta, and D(x) = psi x.

  J_G and J_D are the loss's, at the logits 0 of the data and psi theta of the
  samples; a penalty sees the critic psi x.

  Args:
    start: theta and psi, both []. The paper's discriminator is high on samples:
      its psi is minus this one.
    loss: what each player pays.
    penalty: added to the discriminator's cost; the generator does not learn
      from it.

  Returns:
    The game; its samples are copies of theta.

  References:
    Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually
      Converge?, arXiv 1801.04406, definition 2.1.
  """

  def costs(theta, psi, key):
    chex.assert_rank([theta, psi], 0)
    real, fake = jnp.zeros((1, 1), theta.dtype), theta.reshape(1, 1)

    def critic(x):
      return psi * x[:, 0]

    logits = critic(real), critic(fake)
    discriminator = loss.discriminator(*logits)
    if penalty is not None:
      discriminator += penalty(critic, real, fake, key)
    return Players(loss.generator(*logits), discriminator)

  return _game(start, costs, lambda x, z: jnp.broadcast_to(x, z.shape))


def learn_a_mean(start: Players[Array], mean: Array) -> Game:
  """Returns the Wasserstein game that learns the mean of a normal.

  J_G = <w, v - theta>,  J_D = -J_G,

  the value of the critic <w, x> on data N(v, I) against samples theta + z, in
  expectation.

  Args:
    start: theta and w, both [d].
    mean: [d], v.

  Returns:
    The game; its samples are theta + z.

  References:
    Daskalakis et al., Training GANs with Optimism, arXiv 1711.00141, section
      2.1.
  """
  chex.assert_equal_shape([mean, *start])

  def costs(theta, w, key):
    del key
    value = jnp.sum(w * (mean - theta))
    return Players(value, -value)

  return _game(start, costs, lambda theta, z: theta[None] + z)
