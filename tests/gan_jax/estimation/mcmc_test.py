"""Tests spectral gaps and autocorrelation times of chains known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.estimation import boltzmann, mcmc


def autoregressive(phi, shape, seed=0):
  """Stationary x_t+1 = phi x_t + e_t, with the autocorrelation phi^t."""
  random = np.random.default_rng(seed)
  n, length = shape
  traces = np.empty(shape)
  traces[:, 0] = random.normal(size=n) / np.sqrt(1 - phi**2)
  for step in range(1, length):
    traces[:, step] = phi * traces[:, step - 1] + random.normal(size=n)
  return jnp.asarray(traces, jnp.float32)


class SlowestModeTest(parameterized.TestCase):
  @parameterized.parameters((0.1, 0.3), (0.01, 0.01), (0.9, 0.8))
  def test_two_states(self, a, b):
    # [[1 - a, a], [b, 1 - b]] has the eigenvalues 1 and 1 - a - b, where the
    # second is the smaller one, and is stationary at (b, a) / (a + b).
    matrix = jnp.array([[1 - a, a], [b, 1 - b]])
    p = jnp.array([b, a]) / (a + b)
    eigenvalue, observable = mcmc.slowest_mode(matrix, p)
    self.assertAlmostEqual(float(eigenvalue), 1 - a - b, delta=1e-6)
    np.testing.assert_allclose(p @ observable, 0, atol=1e-6)
    np.testing.assert_allclose(p @ observable**2, 1, rtol=1e-5)
    np.testing.assert_allclose(
      matrix @ observable, (1 - a - b) * observable, atol=1e-5
    )

  def test_gibbs_chain(self):
    # NumPy's eigenvalues of the matrix itself, which is not symmetric.
    keys = jax.random.split(jax.random.key(0), 3)
    with jax.enable_x64(True):
      model = boltzmann.RBM(
        2 * jax.random.normal(keys[0], (4, 3)),
        jax.random.normal(keys[1], (4,)),
        jax.random.normal(keys[2], (3,)),
      )
      matrix = boltzmann.transition_matrix(model)
      free_energy = boltzmann.free_energy(model, boltzmann.all_states(4))
      eigenvalue, observable = mcmc.slowest_mode(
        matrix, jax.nn.softmax(-free_energy)
      )
    eigenvalues = np.sort(np.linalg.eigvals(np.asarray(matrix)).real)
    np.testing.assert_allclose(eigenvalue, eigenvalues[-2], rtol=1e-9)
    np.testing.assert_allclose(
      np.asarray(matrix) @ np.asarray(observable),
      eigenvalues[-2] * np.asarray(observable),
      atol=1e-9,
    )
    self.assertGreaterEqual(eigenvalues[0], -1e-12)
    self.assertBetween(eigenvalues[-2], 0.1, 1 - 1e-6)

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      mcmc.slowest_mode(jnp.eye(3), jnp.ones(2) / 2)


class AutocorrelationTest(absltest.TestCase):
  def test_direct_sums(self):
    traces = np.random.default_rng(0).normal(2.0, 1.0, (3, 7)).cumsum(axis=1)
    centred = traces - traces.mean()
    covariance = np.array(
      [
        np.mean(centred[:, : 7 - shift] * centred[:, shift:])
        for shift in range(7)
      ]
    )
    np.testing.assert_allclose(
      mcmc.autocorrelation(jnp.asarray(traces, jnp.float32)),
      covariance / covariance[0],
      atol=1e-5,
    )

  def test_one_trace_must_have_two_axes(self):
    with self.assertRaises(AssertionError):
      mcmc.autocorrelation(jnp.zeros(5))


class IntegratedTimeTest(parameterized.TestCase):
  @parameterized.parameters(-0.3, 0.0, 0.5, 0.9)
  def test_autoregressive(self, phi):
    # 1 + 2 sum phi^t = (1 + phi) / (1 - phi). The standard error is at most
    # 2.4 %, sqrt(10 tau / 320,000), and the window loses up to 2.5 %.
    traces = autoregressive(phi, (40, 8_000))
    measured = jax.jit(mcmc.integrated_time)(traces)
    np.testing.assert_allclose(measured, (1 + phi) / (1 - phi), rtol=0.1)

  def test_window(self):
    # A sum of one term: 1 + 2 phi.
    traces = autoregressive(0.9, (40, 8_000))
    np.testing.assert_allclose(
      mcmc.integrated_time(traces, 0.7), 1 + 2 * 0.9, rtol=0.05
    )

  def test_too_short(self):
    # Chains that never leave their modes.
    traces = jnp.array([[-1.0], [1.0]]) * jnp.ones((1, 8))
    self.assertTrue(np.isnan(mcmc.integrated_time(traces)))


if __name__ == "__main__":
  absltest.main()
