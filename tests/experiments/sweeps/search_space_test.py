"""What a grid's text says, and which texts are refused."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.errors import SettingError
from experiments.sweeps import search_space
from experiments.sweeps.search_space import Axis

RING = BY_NAME["ring"].settings


class GridTest(parameterized.TestCase):
  def test_values_have_the_types_of_their_settings(self):
    axes = search_space.read_grid(
      "generator_learning_rate=1e-4, 1e-3; loss=hinge,wasserstein;"
      "batch_size=8;penalty=none,(r1,r2),r1;penalty_weight=1,(2,3)",
      RING,
    )
    self.assertEqual(
      axes,
      (
        Axis("generator_learning_rate", (1e-4, 1e-3)),
        Axis("loss", ("hinge", "wasserstein")),
        Axis("batch_size", (8,)),
        Axis("penalty", ((), ("r1", "r2"), ("r1",))),
        Axis("penalty_weight", ((1.0,), (2.0, 3.0))),
      ),
    )

  @parameterized.parameters(
    ("", "is empty"),
    (" ; ", "is empty"),
    ("loss", "not a setting with values"),
    ("loss=", "no value"),
    ("loss=hinge,,minimax", "empty"),
    ("loss=hinge,", "empty"),
    ("los=hinge", "did you mean --loss"),
    ("lr=1,2", "--generator_learning_rate and --discriminator_learning_rate"),
    ("image_size=8,16", "it is a setting of dcgan_mnist, dcgan_fashion_mnist"),
    ("loss=Hinge,minimax", "did you mean --loss=hinge"),
    ("generator_learning_rate=log:1e-4:1e-2", "=log:1e-4:1e-2' --trials=N"),
    ("generator_learning_rate=1e-4:1e-2", "=log:1e-4:1e-2' --trials=N"),
    ("generator_beta1=0.5..0.9", "='generator_beta1=uniform:0.5:0.9'"),
    ("batch_size=8-16", "is a range, and a grid has none"),
    ("seed=1,2", "--num_seeds"),
    ("loss=hinge,hinge", "hinge twice"),
    ("loss=hinge;loss=minimax", "loss twice"),
    ("batch_size=8,x", "whole number"),
    ("batch_size=8,1.5", "whole number"),
    ("generator_learning_rate=0,1", "above 0"),
    ("penalty=(r1,r2", "parentheses"),
    ("penalty=r1(r2)", "parentheses"),
  )
  def test_refused(self, text, reason):
    with self.assertRaisesRegex(SettingError, reason.replace("(", r"\(")):
      search_space.read_grid(text, RING)

  def test_crossed(self):
    axes = (Axis("a", (1, 2)), Axis("b", ("x", "y")))
    self.assertEqual(
      search_space.crossed(axes, ()),
      [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
      ],
    )
    self.assertEqual(
      search_space.crossed(axes[:1], ({"c": 5}, {"c": 6})),
      [
        {"a": 1, "c": 5},
        {"a": 1, "c": 6},
        {"a": 2, "c": 5},
        {"a": 2, "c": 6},
      ],
    )


class DrawTest(parameterized.TestCase):
  def test_ranges(self):
    drawn = search_space.draw_points(
      "generator_learning_rate=log:1e-5:1e-1;instance_noise=uniform:0:2;"
      "batch_size=uniform:8:16;loss=hinge,minimax",
      400,
      seed=3,
      settings=RING,
    )
    rates = np.array([each["generator_learning_rate"] for each in drawn])
    # Uniform in the logarithm: the mean of log10 is -3, its standard error
    # 4 / sqrt(12 * 400) = 0.058. A rate uniform in itself has -1.4.
    self.assertAlmostEqual(np.log10(rates).mean(), -3, delta=0.25)
    self.assertTrue(((rates >= 1e-5) & (rates <= 1e-1)).all())
    noise = np.array([each["instance_noise"] for each in drawn])
    self.assertAlmostEqual(noise.mean(), 1, delta=4 * 2 / math.sqrt(12 * 400))
    sizes = {each["batch_size"] for each in drawn}
    self.assertEqual(sizes, set(range(8, 17)))
    losses = [each["loss"] for each in drawn]
    self.assertEqual(set(losses), {"hinge", "minimax"})
    self.assertBetween(losses.count("hinge"), 150, 250)

  def test_the_same_seed_draws_the_same(self):
    text = "generator_learning_rate=log:1e-5:1e-1"
    first, again, other = (
      search_space.draw_points(text, 5, seed, RING) for seed in (1, 1, 2)
    )
    self.assertEqual(first, again)
    self.assertNotEqual(first, other)

  @parameterized.parameters(
    ("generator_learning_rate=log:0:1", "above 0"),
    ("generator_learning_rate=log:1", "not a range"),
    ("generator_learning_rate=log:a:b", "not a range"),
    ("generator_learning_rate=log:2:1", "smaller first"),
    ("generator_beta1=uniform:0.5:3", "below 1"),
    ("penalty_weight=log:1:2", "not a single number"),
    ("loss=uniform:1:2", "not a single number"),
    ("loss=hing", "hinge"),
    ("speed=log:1:2", "--random: there is no --speed"),
    ("lr=log:1:2", "--generator_learning_rate and"),
  )
  def test_refused(self, text, reason):
    with self.assertRaisesRegex(SettingError, reason):
      search_space.draw_points(text, 20, 0, RING)


if __name__ == "__main__":
  absltest.main()
