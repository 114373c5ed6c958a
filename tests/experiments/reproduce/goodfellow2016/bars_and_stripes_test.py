"""Bars and stripes, and mistakes in learning that the checks find."""

import itertools
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from experiments.reproduce.goodfellow2016 import bars_and_stripes
from gan_jax.estimation import boltzmann
from gan_jax.estimation.boltzmann import RBM

SEEDS = range(4)
LEARNING = "log-likelihood (nats), "
ENUMERATION = "log Z, largest difference of two enumerations"
ANNEALING = "log Z, largest error of AIS with 1,000 temperatures"


def with_phases(combine):
  """Changes the gradient by combine(positive phase, negative phase)."""
  exact = boltzmann.contrastive_divergence

  def mutant(model, data, *rest):
    gradient, chains = exact(model, data, *rest)

    def mean_free_energy(model):
      return jnp.mean(boltzmann.free_energy(model, data))

    positive = jax.grad(mean_free_energy)(model)
    negative = jax.tree.map(jnp.subtract, positive, gradient)
    return jax.tree.map(combine, positive, negative), chains

  return mutant


def least_energy(model, visible):
  """Takes the least energy over hidden units for the free energy."""
  logits = visible @ model.weights + model.hidden_bias
  return -visible @ model.visible_bias - jnp.sum(jax.nn.relu(logits), axis=1)


def wrong_temperatures():
  exact = boltzmann._at_temperature
  return lambda model, base, beta: exact(model, base, 0.9 * beta)


class BarsAndStripesTest(absltest.TestCase):
  def test_patterns(self):
    expected = set()
    for line in itertools.product((0, 1), repeat=4):
      expected.add(tuple(line[i] for i in range(4) for _ in range(4)))
      expected.add(tuple(line[j] for _ in range(4) for j in range(4)))
    patterns = bars_and_stripes.patterns()
    self.assertLen(patterns, 30)
    self.assertEqual({tuple(map(int, image)) for image in patterns}, expected)

  def test_expected_log_partition(self):
    # Without weights Z is the product of (1 + exp(bias)) over all units. One
    # weight w between units without biases multiplies it by (3 + exp(w)) / 4.
    visible = np.linspace(-1, 1, 16)
    weights = np.zeros((2, 16, 3))
    weights[1, 0, 0] = 2.0
    visible[0] = 0.0
    hidden = np.array([0.0, 1.0, -1.0])
    product = np.log1p(np.exp(visible)).sum() + np.log1p(np.exp(hidden)).sum()
    biases = (np.tile(bias, (2, 1)) for bias in (visible, hidden))
    machines = RBM(*map(jnp.asarray, (weights, *biases)))
    np.testing.assert_allclose(
      bars_and_stripes.log_partitions_of_images(machines),
      [product, product + np.log((3 + np.exp(2)) / 4)],
      rtol=1e-6,
    )


@pytest.mark.slow
class MistakesTest(parameterized.TestCase):
  def failed(self, num_steps, **mutants):
    """Names the checks of shorter trainings that fail."""
    self.enter_context(jax.numpy_rank_promotion("allow"))
    settings: dict[str, Any] = {
      "NUM_STEPS": num_steps,
      "MEASURED_EVERY": num_steps // 2,
      "TEMPERATURES": (1_000,),
    }
    self.enter_context(mock.patch.multiple(bars_and_stripes, **settings))
    for name, mutant in mutants.items():
      self.enter_context(mock.patch.object(boltzmann, name, mutant))
    with np.errstate(all="ignore"):
      checks = bars_and_stripes.compute(SEEDS).checks
    return [check.name for check in checks if not check.passed]

  def test_without_a_mistake(self):
    self.assertEmpty(self.failed(2_000))

  @parameterized.named_parameters(
    (
      "sign_of_the_negative_phase",
      lambda positive, negative: positive + negative,
    ),
    ("positive_phase_twice", lambda positive, negative: positive - positive),
  )
  def test_phases(self, combine):
    self.assertContainsSubset(
      [f"{LEARNING}CD-10", f"{LEARNING}PCD-10"],
      self.failed(2_000, contrastive_divergence=with_phases(combine)),
    )

  def test_untrained_machines_have_the_right_log_partition(self):
    self.assertNoCommonElements(self.failed(200), (ENUMERATION, ANNEALING))

  def test_wrong_free_energy(self):
    self.assertIn(ENUMERATION, self.failed(200, free_energy=least_energy))

  def test_wrong_temperatures(self):
    failed = self.failed(200, _at_temperature=wrong_temperatures())
    self.assertIn(ANNEALING, failed)
    self.assertNotIn(ENUMERATION, failed)


if __name__ == "__main__":
  absltest.main()
