"""The checks of the figure tell curves from areas, and find mistakes."""

from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.goodfellow2016 import latent_joins as figure
from gan_jax.networks import latent_joins

SEEDS = figure.NUM_SEEDS
SHARE = figure.plane_share(0)


def failed(checks):
  return [check.name for check in checks if not check.passed]


def runs(**changed):
  """Returns what the games must measure, with changes of one game's."""
  perfect = {
    name: {
      "ranks": np.full((SEEDS, 5), game.rank),
      "dimension": np.full(SEEDS, float(game.rank)),
      "share": np.full(SEEDS, SHARE if game.rank == 2 else 0.0),
      "modes_covered": np.full(SEEDS, 8.0),
      "high_quality_fraction": np.full(SEEDS, 0.98),
    }
    for name, game in figure.GAMES.items()
  }
  return {
    name: {**run, **changed.get(name, {})} for name, run in perfect.items()
  }


class SecondShareTest(parameterized.TestCase):
  def test_of_a_line(self):
    x = np.random.default_rng(0).normal(size=(500, 1))
    line = np.hstack([3 * x, -x])
    self.assertLess(figure.second_share(line), 1e-12)

  def test_of_two_rows_by_hand(self):
    # The ten nearest of (0, 0) are the nine others of {-2, ..., 2} x {0, 0.3}
    # and (3, 0) or (-3, 0). All other points but the ends are in such a cloud.
    points = np.stack(
      np.meshgrid(np.arange(100.0), [0.0, 0.3]), axis=-1
    ).reshape(-1, 2)
    cloud = np.array(
      [(i, j) for i in range(-2, 3) for j in (0, 0.3)] + [(3, 0)]
    )
    smaller, larger = np.linalg.eigvalsh(np.cov(cloud.T))
    np.testing.assert_allclose(
      figure.second_share(points), smaller / (smaller + larger), rtol=1e-6
    )

  def test_does_not_depend_on_the_smooth_density(self):
    normal = np.random.default_rng(1).normal(size=(figure.NUM_SAMPLES, 2))
    normal *= (3.0, 0.5)
    np.testing.assert_allclose(figure.second_share(normal), SHARE, atol=0.01)

  def test_a_curve_through_the_plane_is_not_the_plane(self):
    # Five turns within the radii 1 to 2 are 0.2 apart, and 10 of 10,000 samples
    # are on 0.05 of their length of about 47.
    t = np.sqrt(np.random.default_rng(2).uniform(1, 4, figure.NUM_SAMPLES))
    curve = np.stack(
      [t * np.cos(10 * np.pi * t), t * np.sin(10 * np.pi * t)], 1
    )
    self.assertLess(figure.second_share(curve), 0.02)


class CheckTest(parameterized.TestCase):
  def test_right_runs_pass(self):
    self.assertEmpty(failed(figure.check(runs(), SHARE)))

  @parameterized.parameters(
    ("one latent", "ranks", 2, "mean rank"),
    ("one, repeated", "dimension", 1.5, "dimension of the samples"),
    ("one, repeated", "share", 0.1, "share of the second direction"),
    ("one, and noise", "ranks", 1, "mean rank"),
    ("one, and noise", "dimension", 1.4, "dimension of the samples"),
    ("one per layer", "share", 0.1, "share of the second direction"),
    ("two latents", "share", 0.5, "share of the second direction"),
    ("two latents", "modes_covered", 5.0, "modes"),
    ("two latents", "high_quality_fraction", 0.4, "high quality"),
  )
  def test_a_mistake_fails(self, game, name, value, check):
    wrong = np.full_like(runs()[game][name], value)
    checks = figure.check(runs(**{game: {name: wrong}}), SHARE)
    self.assertEqual(failed(checks), [f"{check}, {game}"])


class TrainingTest(absltest.TestCase):
  @pytest.mark.slow
  def test_noise_that_does_not_arrive_is_found(self):
    lost = latent_joins.Join(latent_joins.added(1.0).dim, lambda h, z: h)
    game = figure.GAMES["one, and noise"]._replace(join=lost)
    with (
      mock.patch.object(figure, "NUM_STEPS", 20),
      mock.patch.dict(figure.GAMES, {"one, and noise": game}),
    ):
      computed = figure.compute(Inputs())
    ranks = {
      check.name: check.passed
      for check in computed.checks
      if check.name.startswith("mean rank")
    }
    self.assertEqual(
      [name for name, passed in ranks.items() if not passed],
      ["mean rank, one, and noise"],
    )
    self.assertIsInstance(figure.draw(computed.drawn), Figure)


if __name__ == "__main__":
  absltest.main()
