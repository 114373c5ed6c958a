"""The two modes of the machine, and mistakes that its checks find."""

from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.goodfellow2016 import two_mode_chain
from gan_jax.estimation import boltzmann, mcmc

SEEDS = range(4)
GAP = "spectral gap of all states, largest relative error"
SMALL: dict[str, Any] = {
  "BARRIERS": (1.0, 3.0),
  "NUM_CHAINS": 16,
  "NUM_STEPS": 4_096,
}


def failed():
  """Names the checks of short chains over low barriers that fail."""
  with mock.patch.multiple(two_mode_chain, **SMALL):
    checks = two_mode_chain.measure(SEEDS).checks
  return [check.name for check in checks if not check.passed]


class ExactChainTest(parameterized.TestCase):
  @parameterized.parameters(1.0, 9.0)
  def test_barrier_and_symmetry(self, barrier):
    chain = two_mode_chain.exact_chain(barrier)
    log_p = np.log(chain.probabilities)
    active = two_mode_chain.count_active(np.arange(256))
    np.testing.assert_array_equal(
      active, [number.bit_count() for number in range(256)]
    )
    # State 15 has half of the units on.
    for mode in (0, 255):
      np.testing.assert_allclose(log_p[mode] - log_p[15], barrier, rtol=1e-9)
      self.assertEqual(np.round(log_p.max() - log_p[mode], 9), 0)
    # All units change at once.
    np.testing.assert_allclose(log_p, log_p[::-1], rtol=1e-9)

  def test_expected_eigenvalue(self):
    # Half a step of one unit alone: V -> H has the eigenvalue
    # s(J/2) - s(-J/2), s the logistic function, and a step has its square.
    with mock.patch.object(two_mode_chain, "NUM_UNITS", 1):
      coupling = two_mode_chain.coupling_of(1.0)
      np.testing.assert_allclose(
        two_mode_chain.eigenvalue_of_counts(1.0), np.tanh(coupling / 4) ** 2
      )


class ChecksTest(parameterized.TestCase):
  def test_short_chains_pass(self):
    self.assertEmpty(failed())

  def test_two_steps_for_one(self):
    exact = boltzmann.transition_matrix
    with mock.patch.object(
      boltzmann,
      "transition_matrix",
      lambda model: exact(model) @ exact(model),
    ):
      self.assertLen(failed(), 3)

  def test_missing_bias(self):
    exact = boltzmann.free_energy

    def mutant(model, visible):
      bias = jnp.zeros_like(model.visible_bias)
      return exact(model._replace(visible_bias=bias), visible)

    with mock.patch.object(boltzmann, "free_energy", mutant):
      self.assertIn(GAP, failed())

  def test_half_of_the_time(self):
    exact = mcmc.integrated_time
    with mock.patch.object(
      mcmc, "integrated_time", lambda traces: (1 + exact(traces)) / 2
    ):
      self.assertLen(failed(), 2)

  def test_hotter_chains(self):
    exact = boltzmann.gibbs_step

    def hotter(model, key, visible):
      return exact(jax.tree.map(lambda leaf: 0.8 * leaf, model), key, visible)

    with mock.patch.object(boltzmann, "gibbs_step", hotter):
      self.assertLen(failed(), 2)


if __name__ == "__main__":
  absltest.main()
