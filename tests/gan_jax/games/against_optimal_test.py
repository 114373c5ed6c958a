"""Tests that the game against the optimal D descends its divergence."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized
from scipy import integrate, stats

from gan_jax import games, losses, steps
from gan_jax.data import latents
from gan_jax.networks.affine import Affine
from gan_jax.types import Players
from tests.gan_jax.games.affine_games import (
  KEY,
  train,
)


def normal_grid(n, mean=0.0, stddev=1.0):
  """Points [n, 1] over which a mean is an expectation under a normal."""
  points = stats.norm.ppf((np.arange(n) + 0.5) / n, mean, stddev)
  return jnp.asarray(points)[:, None]


DATA = (1.0, 1.3)


def log_density_ratio(params, x):
  """log p(x) / q(x) of N(1, 1.3^2) and N(mean, stddev^2)."""

  def log_density(mean, stddev):
    return -0.5 * ((x - mean) / stddev) ** 2 - jnp.log(stddev)

  ratio = log_density(*DATA) - log_density(
    params["mean"][None], params["stddev"][None]
  )
  return ratio[:, 0]


def optimal_game(loss):
  return games.against_optimal(
    Affine(), log_density_ratio, loss, lambda key, n: normal_grid(n)
  )


def jensen_shannon(mean, stddev):
  """JSD(p || N(mean, stddev^2)) by adaptive quadrature."""

  def integrand(x):
    log_p, log_q = (
      stats.norm.logpdf(x, *DATA),
      stats.norm.logpdf(x, mean, stddev),
    )
    log_m = np.logaddexp(log_p, log_q) - np.log(2)
    return 0.5 * (
      np.exp(log_p) * (log_p - log_m) + np.exp(log_q) * (log_q - log_m)
    )

  value, _ = integrate.quad(
    integrand, -20, 20, epsabs=1e-12, epsrel=1e-12, limit=200
  )
  return value


def jensen_shannon_slope(mean, stddev, h=1e-3):
  """Its derivatives in mean and stddev."""
  return np.asarray(
    [
      jensen_shannon(mean + h, stddev) - jensen_shannon(mean - h, stddev),
      jensen_shannon(mean, stddev + h) - jensen_shannon(mean, stddev - h),
    ]
  ) / (2 * h)


class AgainstOptimalTest(parameterized.TestCase):
  """Expectations by sums over a grid of quantiles, in float64.

  The grid's error is that of its outermost cells, some 10^-5; the derivatives
  are between 0.018 and 0.7.
  """

  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  def evaluate(self, loss, mean, stddev):
    """Costs, and J_G's gradient in (mean, stddev)."""
    game = optimal_game(loss)
    params = Players(
      {"mean": jnp.asarray([mean]), "stddev": jnp.asarray([stddev])}, {}
    )
    batch = normal_grid(50_000, *DATA)
    gradients, costs, _ = games.pullbacks(game.costs)(
      params, Players({}, {}), batch, KEY
    )
    self.assertEqual(gradients.discriminator, {})
    slopes = gradients.generator
    return costs, np.concatenate([slopes["mean"], slopes["stddev"]])

  @parameterized.parameters((-0.3, 2.0), (2.0, 1.6))
  def test_maximum_likelihood_descends_kl_of_data_to_model(self, mean, stddev):
    # KL(p || q) = log s - E_p log-density of p + ((mu - m)^2 + 1.69) / (2 s^2).
    # J_G = -E_z exp(l(G(z))), whose gradient with l = log p/q held fixed is
    # -E_q[p/q l'(x) dx/dparam] = -int p l' dx/dparam = KL's; Goodfellow's cost
    # is half of this. Its value, -E_q[p/q] = -1, shows nothing.
    m, variance = DATA[0], DATA[1] ** 2
    costs, gradient = self.evaluate(losses.maximum_likelihood(), mean, stddev)
    np.testing.assert_allclose(
      gradient,
      [
        (mean - m) / stddev**2,
        1 / stddev - ((m - mean) ** 2 + variance) / stddev**3,
      ],
      atol=1e-4,
    )
    np.testing.assert_allclose(costs.generator, -1.0, atol=1e-3)

  @parameterized.parameters((-0.3, 2.0), (2.0, 1.6), (1.2, 0.8))
  def test_minimax_descends_twice_jensen_shannon(self, mean, stddev):
    # D* maximises V = -J_D = J_G = -log 4 + 2 JSD, so V's slope with D* held
    # fixed is that of the maximum itself (the envelope theorem).
    costs, gradient = self.evaluate(losses.minimax(), mean, stddev)
    value = -np.log(4) + 2 * jensen_shannon(mean, stddev)
    np.testing.assert_allclose(costs.generator, value, atol=1e-4)
    np.testing.assert_allclose(costs.discriminator, -value, atol=1e-4)
    np.testing.assert_allclose(
      gradient, 2 * jensen_shannon_slope(mean, stddev), atol=1e-4
    )

  @parameterized.parameters((-0.3, 2.0), (2.0, 1.6), (1.2, 0.8))
  def test_non_saturating_descends_reverse_kl_less_twice_jensen_shannon(
    self, mean, stddev
  ):
    # -log D* = log (1 - D*) / D* - log (1 - D*) = log q/p - log (1 - D*), both
    # held fixed. Under samples of q the first has the slope of KL(q || p), as
    # E_q[d log q] = 0, and the second that of -V = log 4 - 2 JSD: the factor is
    # 1 and the sign of JSD negative, as in the theorem, whose cost has no 1/2.
    # KL(q || p) = -log s + ((mu - m)^2 + s^2) / (2 * 1.69) + constant.
    m, variance = DATA[0], DATA[1] ** 2
    _, gradient = self.evaluate(losses.non_saturating(), mean, stddev)
    reverse_kl = np.asarray(
      [(mean - m) / variance, stddev / variance - 1 / stddev]
    )
    np.testing.assert_allclose(
      gradient,
      reverse_kl - 2 * jensen_shannon_slope(mean, stddev),
      atol=1e-4,
    )

  @parameterized.parameters(
    (losses.minimax, steps.simultaneous),
    (losses.non_saturating, steps.alternating),
    (losses.maximum_likelihood, steps.simultaneous),
  )
  def test_training_ends_at_the_data(self, loss, rule):
    optimizers = Players(optax.adam(0.05), optax.adam(0.05))
    batch = normal_grid(256, *DATA)
    state, metrics = train(
      optimal_game(loss()), optimizers, lambda key: batch, 300, rule
    )
    np.testing.assert_allclose(state.params.generator["mean"], [1.0], atol=0.05)
    np.testing.assert_allclose(
      state.params.generator["stddev"], [1.3], atol=0.05
    )
    np.testing.assert_allclose(
      metrics["discriminator_fake"][-1], 0.5, atol=0.01
    )

  def test_sample_discriminate_and_shapes(self):
    game = optimal_game(losses.minimax())
    params, variables = game.init(KEY)
    chex.assert_trees_all_equal(
      game.sample(params, variables, KEY, 5), normal_grid(5)
    )
    assert game.discriminate is not None
    x = np.asarray([[-1.0], [0.0], [2.0]])
    np.testing.assert_allclose(
      game.discriminate(params, variables, jnp.asarray(x)),
      (stats.norm.logpdf(x, *DATA) - stats.norm.logpdf(x))[:, 0],
      rtol=1e-6,
    )
    with self.assertRaises(AssertionError):
      game.costs(params, variables, jnp.zeros((4, 2)), KEY)
    columns = games.against_optimal(
      Affine(),
      lambda params, x: log_density_ratio(params, x)[:, None],
      losses.minimax(),
      latents.normal(1),
    )
    with self.assertRaises(AssertionError):
      columns.costs(params, variables, x, KEY)


if __name__ == "__main__":
  absltest.main()
