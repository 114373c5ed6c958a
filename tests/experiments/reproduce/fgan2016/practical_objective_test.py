"""The rests of the practical generators, and mistakes that checks find."""

from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure
from scipy import integrate, optimize

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.fgan2016 import practical_objective
from experiments.reproduce.fgan2016.practical_objective import TABLE
from gan_jax import divergences, losses
from tests.experiments.reproduce.fgan2016 import normal_runs

NOISE = np.array([-0.02, 0.0, 0.02])[:, None]


def normal(x, mean, stddev):
  scaled = (x - mean) / stddev
  return np.exp(-0.5 * scaled**2) / (stddev * np.sqrt(2 * np.pi))


# The integrands of D_h.
DESCENDED = {
  "kl": lambda p, q: q * np.log(q / p),
  "reverse_kl": lambda p, q: (p - q) ** 2 / p / 2,
  "pearson": lambda p, q: 2 * p * np.log(p / q),
  "neyman": lambda p, q: q**3 / p**2 / 3,
  "squared_hellinger": lambda p, q: 2 / 3 * q * np.sqrt(q / p),
  "jeffrey": lambda p, q: q * np.log(q / p) + (p - q) ** 2 / p / 2,
  "jensen_shannon": lambda p, q: (p + q) * np.log((p + q) / (2 * p)),
}


class RestsTest(parameterized.TestCase):
  @parameterized.parameters(*TABLE)
  def test_practical_rests(self, name):
    def divergence(fit):
      def integrand(x):
        p = 0.33 * normal(x, -1, 0.255) + 0.67 * normal(x, 2, 1.415)
        return DESCENDED[name](p, normal(x, *fit))

      return integrate.quad(integrand, -10, 13, points=(-1, 0, 2), limit=200)[0]

    found = optimize.minimize(
      divergence,
      (1.6, 1.6),
      method="Nelder-Mead",
      options={"xatol": 1e-5, "fatol": 1e-10},
    )
    np.testing.assert_allclose(found.x, TABLE[name].practical, atol=1e-4)

  def test_rests_of_one_divergence_are_one(self):
    # h of KL is f of reverse KL, and so on.
    for name, other in (
      ("kl", "reverse_kl"),
      ("reverse_kl", "neyman"),
      ("pearson", "kl"),
    ):
      self.assertEqual(TABLE[name].practical, TABLE[other].zero_sum)


class PracticalObjectiveTest(absltest.TestCase):
  def compute(self, ends="practical"):
    """Computes the figure from runs that end at the rests of an objective."""
    jax.clear_caches()
    self.addCleanup(jax.clear_caches)
    return practical_objective.compute(
      Inputs(
        {
          name: normal_runs.make_run(NOISE + getattr(rests, ends))
          for name, rests in TABLE.items()
        }
      )
    )

  def failed(self, computed):
    return [each.name for each in computed.checks if not each.passed]

  def test_exact_trainings_pass(self):
    computed = self.compute()
    self.assertEmpty(self.failed(computed))
    names = [check.name for check in computed.checks]
    self.assertLen(set(names), len(names))
    figure = practical_objective.draw(computed.drawn)
    self.assertIsInstance(figure, Figure)
    self.assertLen(figure.axes, 16)

  def test_generators_of_the_zero_sum_game_fail(self):
    failed = self.failed(self.compute("zero_sum"))
    for name in TABLE:
      # Neyman's rests are less than 10 % apart.
      if name != "neyman":
        self.assertIn(f"{name}: trained mu, practical", failed)

  @pytest.mark.slow
  def test_the_divergence_of_the_critic_fails(self):
    with mock.patch.object(
      divergences, "practical_divergence", divergences.f_divergence
    ):
      failed = self.failed(self.compute())
    for name in TABLE:
      self.assertIn(f"{name}: mu of the best normal, practical", failed)

  def test_a_flag_without_effect_fails(self):
    exact = losses.f_divergence
    with mock.patch.object(
      losses, "f_divergence", lambda name, practical: exact(name)
    ):
      failed = self.failed(self.compute())
    self.assertIn(
      "kl: zero-sum slope over practical slope, over p/q, mean", failed
    )
    self.assertIn("pearson without data: practical slope", failed)

  @pytest.mark.slow
  def test_a_sign_fails(self):
    exact = losses.f_divergence

    def mutant(name, practical):
      loss = exact(name, practical)
      return loss._replace(generator=lambda r, f: -loss.generator(r, f))

    with mock.patch.object(losses, "f_divergence", mutant):
      failed = self.failed(self.compute())
    self.assertLen([name for name in failed if "slope" in name], 9)


if __name__ == "__main__":
  absltest.main()
