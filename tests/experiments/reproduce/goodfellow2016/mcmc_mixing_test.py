"""Checks of generators on samples that are made up, and the whole figure."""

from typing import Any
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.goodfellow2016 import (
  bars_and_stripes,
  mcmc_mixing,
  two_mode_chain,
)

CHAIN = two_mode_chain.exact_chain(9.0)


def exact_samples():
  """Returns the numbers of active units of independent samples, [8, 4096]."""
  states = np.random.default_rng(0).choice(
    256, (8, mcmc_mixing.NUM_SAMPLES), p=CHAIN.probabilities
  )
  return two_mode_chain.count_active(states)


def failed(generated):
  checks = mcmc_mixing.check_generators(generated, CHAIN)
  return [check.name.partition(":")[2] for check in checks if not check.passed]


class CheckGeneratorsTest(absltest.TestCase):
  def test_exact_samples_pass(self):
    self.assertEmpty(failed(exact_samples()))

  def test_one_mode(self):
    samples = exact_samples()
    collapsed = np.minimum(samples, 8 - samples)
    self.assertIn(" share of the rarer mode in one pass", failed(collapsed))
    # Half of the seeds in each mode are no better.
    collapsed[4:] = 8 - collapsed[4:]
    self.assertIn(" share of the rarer mode in one pass", failed(collapsed))

  def test_between_the_modes(self):
    samples = exact_samples() // 2 + 2
    self.assertEqual(
      failed(samples), [" share of samples within 2 units of a mode"]
    )

  def test_a_slow_chain(self):
    sorted_samples = np.sort(exact_samples(), axis=1)
    self.assertEqual(
      failed(sorted_samples),
      [" autocorrelation of the mode between successive samples"],
    )


class FigureTest(absltest.TestCase):
  @pytest.mark.slow
  def test_short_trainings(self):
    self.enter_context(jax.numpy_rank_promotion("allow"))
    settings: Any = {
      mcmc_mixing: {"NUM_SEEDS": 2, "NUM_UPDATES": 20},
      two_mode_chain: {"NUM_CHAINS": 16, "NUM_STEPS": 1_024},
      bars_and_stripes: {"NUM_STEPS": 20, "MEASURED_EVERY": 10},
    }
    for module, values in settings.items():
      self.enter_context(mock.patch.multiple(module, **values))
    computed = mcmc_mixing.compute(Inputs(seed=5))
    names = [check.name for check in computed.checks]
    self.assertLen(set(names), 16)
    self.assertTrue(all(check.origin for check in computed.checks))
    # What has not learnt does not pass.
    not_passed = [check.name for check in computed.checks if not check.passed]
    self.assertContainsSubset(
      ["log-likelihood (nats), CD-10", "log-likelihood (nats), PCD-10"],
      not_passed,
    )
    self.assertIsInstance(mcmc_mixing.draw(computed.drawn), Figure)


if __name__ == "__main__":
  absltest.main()
