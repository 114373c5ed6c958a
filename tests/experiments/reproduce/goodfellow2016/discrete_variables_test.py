"""Checks of discrete variables: numbers that are right, and mistakes."""

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.goodfellow2016 import discrete_variables
from experiments.reproduce.goodfellow2016.discrete_variables import (
  ARGMAX,
  ENUMERATED,
  PROBABILITIES,
  SAMPLE,
  SCORE,
  SOFTMAX,
  SYMBOL,
  SYMBOL_AND_NOISE,
  THROUGH,
)

SEEDS = discrete_variables.NUM_SEEDS
UNIFORM = np.full((SEEDS, 8), 1 / 8)


def failed(checks):
  return [check.name for check in checks if not check.passed]


def learned(probabilities, gradient=0.1):
  return {
    "gradient": np.full(SEEDS, gradient),
    "before": UNIFORM,
    "after": np.tile(probabilities, (SEEDS, 1)),
  }


def symbols(**changed):
  stuck = learned(UNIFORM[0], gradient=0.0)
  return {
    ARGMAX: stuck,
    THROUGH: learned(PROBABILITIES),
    SOFTMAX: learned(PROBABILITIES),
    **changed,
  }


def ring(covered=(8, 8, 8, 8), quality=0.97):
  return {
    "modes_covered": np.array(covered, float),
    "high_quality_fraction": np.full(SEEDS, quality),
  }


class ChecksTest(parameterized.TestCase):
  def test_probabilities_pass(self):
    self.assertEmpty(failed(discrete_variables.check_symbols(symbols())))

  @parameterized.parameters(
    ({ARGMAX: learned(PROBABILITIES, 1e-9)}, 2),
    # The data's order reversed, and one seed that learned nothing.
    ({THROUGH: learned(PROBABILITIES[::-1])}, 2),
    ({SOFTMAX: learned(PROBABILITIES, gradient=0.0)}, 1),
  )
  def test_mistakes(self, changed, count):
    checks = discrete_variables.check_symbols(symbols(**changed))
    self.assertLen(failed(checks), count)

  def test_divergence_has_the_data_first(self):
    values = discrete_variables.kl_from_data(UNIFORM)
    entropy = -np.sum(PROBABILITIES * np.log(PROBABILITIES))
    np.testing.assert_allclose(values, np.log(8) - entropy)

  def test_ring(self):
    runs = {SYMBOL: ring(), SYMBOL_AND_NOISE: ring()}
    self.assertEmpty(failed(discrete_variables.check_ring(runs)))
    runs[SYMBOL] = ring((8, 7, 8, 8))
    runs[SYMBOL_AND_NOISE] = ring(quality=0.7)
    self.assertLen(failed(discrete_variables.check_ring(runs)), 2)

  def test_gradients(self):
    estimates = discrete_variables.estimate_gradients(0)
    self.assertEmpty(failed(discrete_variables.check_gradients(estimates)))
    # By hand: q_i (f_i - sum_j q_j f_j), f_i = log N(x; c_i, s^2).
    angles = np.arange(8) * np.pi / 4
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    f = -2 * np.sum((centres - [0.8, 0.4]) ** 2, axis=1)
    q = np.exp(np.linspace(0.5, -0.5, 8))
    q /= q.sum()
    np.testing.assert_allclose(
      estimates[ENUMERATED][0], q * (f - q @ f), rtol=1e-4, atol=1e-6
    )
    for name, mistaken in (
      (SCORE, -estimates[SCORE]),
      (SCORE, 2 * estimates[SCORE]),
      (SAMPLE, estimates[SCORE]),
      (SOFTMAX, -estimates[SOFTMAX]),
    ):
      checks = discrete_variables.check_gradients({**estimates, name: mistaken})
      self.assertLen(failed(checks), 1, name)


class FigureTest(absltest.TestCase):
  @pytest.mark.slow
  def test_whole_figure(self):
    computed = discrete_variables.compute(Inputs())
    self.assertEmpty(failed(computed.checks))
    self.assertIsInstance(discrete_variables.draw(computed.drawn), Figure)


if __name__ == "__main__":
  absltest.main()
