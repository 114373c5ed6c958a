"""What pages say of metrics."""

import math

from absl.testing import absltest, parameterized

from experiments.run_folder import metric_table


class MetricTableTest(parameterized.TestCase):
  @parameterized.parameters(
    ("wasserstein_1", "units of x, lower is better, ideal 0", (0, math.inf)),
    ("jensen_shannon", "nats, lower is better, ideal 0", (0, math.log(2))),
    ("modes_covered", "modes, higher is better, ideal all", (0, math.inf)),
    ("average_recall", "higher is better, ideal 1", (0, 1)),
    ("discriminator_fake", "probability, ideal 1/2", (0, 1)),
    ("discriminator_fake_level_2", "probability, ideal 1/2", (0, 1)),
    ("generator_gradient_norm", "", (0, math.inf)),
    ("unheard_of", "", (-math.inf, math.inf)),
  )
  def test_good_values(self, name, guide, limits):
    metric = metric_table.describe(name)
    self.assertEqual(metric.guide, guide)
    self.assertEqual(metric.limits, limits)

  def test_metrics_of_the_average(self):
    self.assertEqual(
      metric_table.describe("average_recall").meaning,
      "recall of the averaged parameters",
    )

  def test_metrics_of_a_level(self):
    self.assertEqual(
      metric_table.describe("discriminator_fake_level_2").meaning,
      "discriminator_fake of level 2, images halved 2 times",
    )

  def test_all_are_explained(self):
    for name, metric in metric_table.METRICS.items():
      self.assertNotEmpty(metric.meaning, name)
      self.assertIn(metric.better, ("", "higher", "lower"), name)
      low, high = metric.limits
      if metric.ideal.isdigit():
        self.assertBetween(float(metric.ideal), low, high, name)


if __name__ == "__main__":
  absltest.main()
