"""The matrix of divergences, and mistakes that its checks find."""

from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.fgan2016 import cross_evaluation
from experiments.reproduce.fgan2016.fitted_normals import TABLE
from gan_jax import divergences
from tests.experiments.reproduce.fgan2016 import normal_runs

# Small, as the best normals of JS and Jeffrey are near to each other.
NOISE = np.array([-1e-3, 0.0, 2e-3])[:, None]


class CrossEvaluationTest(absltest.TestCase):
  def compute(self, noise=NOISE, **ends):
    """Computes the figure, with runs of TABLE's normals but for `ends`."""
    jax.clear_caches()
    self.addCleanup(jax.clear_caches)
    normals = {name: TABLE[name].best[1:] for name in cross_evaluation.NAMES}
    return cross_evaluation.compute(
      Inputs(
        {
          name: normal_runs.make_run(noise + normal)
          for name, normal in {**normals, **ends}.items()
        }
      )
    )

  def failed(self, computed):
    return [each.name for each in computed.checks if not each.passed]

  def test_exact_trainings_pass(self):
    computed = self.compute()
    # The exact normals do not tie where the trained ones do.
    tie = "jensen_shannon: lead over jeffrey, trained"
    self.assertEqual(self.failed(computed), [tie])
    (lead,) = [c.measured for c in computed.checks if c.name == tie]
    self.assertAlmostEqual(lead, 4.8e-4, delta=5e-5)
    # By hand: Pearson's divergence of the best normal of reverse KL.
    self.assertAlmostEqual(computed.drawn["best"][1, 4], 1.431, delta=1e-3)
    self.assertEqual(computed.drawn["trained"].shape, (5, 3, 5))
    figure = cross_evaluation.draw(computed.drawn)
    self.assertIsInstance(figure, Figure)
    texts = [text.get_text() for text in figure.axes[0].texts]
    self.assertEqual(texts[9], "1.4312")
    bold = [text.get_fontweight() == "bold" for text in figure.axes[0].texts]
    np.testing.assert_array_equal(np.reshape(bold, (5, 5)), np.eye(5))

  @pytest.mark.slow
  def test_a_training_that_ends_at_another_divergence_fails(self):
    failed = self.failed(self.compute(kl=TABLE["pearson"].best[1:]))
    self.assertIn("kl: least lead, trained, lower end", failed)

  def test_seeds_that_differ_more_than_the_lead_fail(self):
    # Their mean is right, but the interval of Jeffrey's lead over JS is wide.
    failed = self.failed(self.compute(noise=100 * NOISE))
    self.assertIn("jeffrey: least lead, trained, lower end", failed)

  @pytest.mark.slow
  def test_swapped_densities_fail(self):
    exact = divergences.f_divergence
    with mock.patch.object(
      divergences,
      "f_divergence",
      lambda name, p, q, weights: exact(name, q, p, weights),
    ):
      failed = self.failed(self.compute())
    self.assertIn("kl: mean of the column", failed)

  def test_a_transposed_matrix_fails(self):
    normals = [TABLE[name].best[1:] for name in cross_evaluation.NAMES]
    best = cross_evaluation.evaluate(np.array(normals))
    checks = cross_evaluation.check_best(best.T, normals)
    self.assertIn(False, [check.passed for check in checks])


if __name__ == "__main__":
  absltest.main()
