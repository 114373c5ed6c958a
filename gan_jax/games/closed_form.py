"""Small games without networks, whose training dynamics are known exactly.

Each player's parameters are one array, [] or [d]. Costs ignore the batch, so
every update rule for networks also trains these games. All arithmetic is in the
dtype of the starting point, so that results can be checked in float64.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from gan_jax.games.game import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.penalties import Penalty
from gan_jax.types import Array, Players


def _game(
  start: Players[Array],
  costs: Callable[[Array, Array, Array], Players[Array]],
  sample: Callable[[Array, Array], Array],
) -> Game:
  """Makes a game of two arrays, from these costs and normal latents.

  Args:
    start: the initial parameters.
    costs: (generator, discriminator, key) -> the costs.
    sample: (generator, latents [n, *generator.shape]) -> samples [n, ...].
  """
  chex.assert_equal_shape(start)

  def init(key):
    del key
    # A copy, because a compiled step deletes the state that it is given.
    return jax.tree.map(jnp.array, start), Players({}, {})

  def game_costs(params, variables, batch, key):
    del batch
    return costs(params.generator, params.discriminator, key), (variables, {})

  def game_sample(params, variables, key, n):
    del variables
    generator = params.generator
    latents = jax.random.normal(key, (n, *generator.shape), generator.dtype)
    return sample(generator, latents)

  return Game(init, game_costs, game_sample)


def bilinear(start: Players[Array]) -> Game:
  """Returns the game f(x, y) = x y.

  J_G = x y,  J_D = -x y.

  The only equilibrium is 0. Simultaneous gradient descent of rate h spirals
  away from it: each step multiplies x^2 + y^2 by 1 + h^2.

  Args:
    start: x and y, both [], or both [d] with their inner product as x y.

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

  For c > 0 the gradient flow spirals into 0. A simultaneous step of rate h
  multiplies x^2 + y^2 by (1 - h c)^2 + h^2; an alternating step is a linear map
  of determinant (1 - h c)^2.

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

  J_G and J_D are the loss at the logits 0 for data and psi theta for samples.

  Args:
    start: theta and psi, both []. The paper's discriminator is high on samples,
      so its psi is minus this one.
    loss: both players' costs.
    penalty: penalty on the critic psi x, added to J_D.

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

  J_G = <w, v - theta>,  J_D = -J_G.

  This is the expected difference of the critic <w, x> between data N(v, I) and
  samples theta + z.

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
