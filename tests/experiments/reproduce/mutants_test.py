"""Checks of figures fail when a function of the library is wrong."""

from unittest import mock

import jax
import pytest
from absl.testing import absltest, parameterized

from experiments.reproduce.registry import BY_ID
from gan_jax import divergences


def swapped(function):
  """Swaps the first two arguments of a function."""
  return lambda p, q, *rest: function(q, p, *rest)


def times(factor):
  """Returns the mutation that multiplies a function's value."""
  return lambda function: lambda *args: factor * function(*args)


class MutantsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("theory_identities", "kl", times(2)),
    ("goodfellow2016_fig14", "kl", swapped),
    ("best_of_three", "value", times(0.5)),
    ("disjoint_lines", "total_variation", times(2)),
  )
  def test_a_check_fails(self, figure, name, mutation):
    self.check_mutant_fails(figure, name, mutation)

  @parameterized.parameters(
    ("theory_identities", "cross_entropy", swapped),
    ("theory_identities", "optimal_discriminator", swapped),
    ("theory_identities", "value", swapped),
    ("theory_identities", "value", times(2)),
    ("theory_identities", "jensen_shannon", times(2)),
    ("theory_identities", "entropy", times(-1)),
  )
  @pytest.mark.slow
  def test_a_check_fails_for_more(self, figure, name, mutation):
    self.check_mutant_fails(figure, name, mutation)

  def check_mutant_fails(self, figure, name, mutation):
    mutant = mutation(getattr(divergences, name))
    # Compiled programs would keep the original function, or later the mutant.
    jax.clear_caches()
    self.addCleanup(jax.clear_caches)
    reproduction = BY_ID[figure]
    with (
      jax.numpy_rank_promotion("allow"),
      mock.patch.object(divergences, name, mutant),
    ):
      computed = reproduction.compute({})
    judged = [check["passed"] for check in reproduction.judge(computed)]
    self.assertIn(False, judged)


if __name__ == "__main__":
  absltest.main()
