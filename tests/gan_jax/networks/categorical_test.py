"""Tests symbols against the probabilities and slopes of the softmax."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import special, stats

from gan_jax.data import latents
from gan_jax.networks import MLP, categorical

SCORES = np.array([[0.3, -1.0, 2.0], [1.5, 0.0, 1.4]])
WEIGHTS = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]])
TEMPERATURE = 0.7


def gradient(output):
  """Returns d sum(WEIGHTS output) / d SCORES in float64."""
  with jax.enable_x64(True):
    weigh = jax.grad(lambda s: jnp.sum(jnp.asarray(WEIGHTS) * output(s)))
    return np.asarray(weigh(jnp.asarray(SCORES)))


def softmax_gradient():
  """(diag(y) - y y^T) w / t, row by row."""
  y = special.softmax(SCORES / TEMPERATURE, axis=1)
  mean = np.sum(y * WEIGHTS, axis=1, keepdims=True)
  return y * (WEIGHTS - mean) / TEMPERATURE


class OutputTest(parameterized.TestCase):
  def test_hard_has_no_gradient(self):
    symbols = categorical.hard(jnp.asarray(SCORES))
    np.testing.assert_array_equal(symbols, [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(gradient(categorical.hard), 0)

  def test_gumbel_softmax(self):
    output = categorical.gumbel_softmax(TEMPERATURE)
    np.testing.assert_allclose(
      output(jnp.asarray(SCORES)),
      special.softmax(SCORES / TEMPERATURE, axis=1),
      rtol=1e-6,
    )
    np.testing.assert_allclose(gradient(output), softmax_gradient(), rtol=1e-9)

  def test_cold_softmax_is_nearly_hard(self):
    np.testing.assert_allclose(
      categorical.gumbel_softmax(0.005)(jnp.asarray(SCORES)),
      categorical.hard(jnp.asarray(SCORES)),
      atol=1e-6,
    )

  def test_straight_through(self):
    output = categorical.straight_through(TEMPERATURE)
    scores = jax.random.normal(jax.random.key(0), (100, 5))
    np.testing.assert_array_equal(output(scores), categorical.hard(scores))
    np.testing.assert_allclose(gradient(output), softmax_gradient(), rtol=1e-9)


class SymbolsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.network = categorical.Symbols(
      MLP((), 3), 3, categorical.gumbel_softmax(TEMPERATURE)
    )
    self.bias = jnp.array([0.5, -0.5, 1.0])
    dense = {"kernel": jnp.array([[1.0, 2.0, -1.0]]), "bias": self.bias}
    self.params = {"params": {"logits": {"Dense_0": dense}}}

  def apply(self, z, **arguments):
    return np.asarray(self.network.apply(self.params, z, **arguments))

  def test_scores_are_logits_and_noise(self):
    z = np.array([[2.0, 0.1, 0.2, 0.3]], np.float32)
    scores = np.array([[2.0 + 0.5 + 0.1, 4.0 - 0.5 + 0.2, -2.0 + 1.0 + 0.3]])
    np.testing.assert_allclose(
      self.apply(z, train=True),
      special.softmax(scores / TEMPERATURE, axis=1),
      rtol=1e-5,
    )
    np.testing.assert_array_equal(self.apply(z), [[0, 1, 0]])

  def test_symbols_have_the_probabilities_of_the_softmax(self):
    noise = latents.gumbel(3)(jax.random.key(0), 4000)
    symbols = self.apply(jnp.pad(noise, ((0, 0), (1, 0))))
    expected = 4000 * special.softmax(np.asarray(self.bias))
    self.assertGreater(stats.chisquare(symbols.sum(0), expected).pvalue, 0.01)

  def test_too_few_latents_are_refused(self):
    with self.assertRaisesRegex(ValueError, "3 latents are too few: 3 symbols"):
      self.apply(jnp.zeros((2, 3)))


if __name__ == "__main__":
  absltest.main()
