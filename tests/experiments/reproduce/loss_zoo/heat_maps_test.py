"""Cells of the loss table, and the checks computed from them."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest
from matplotlib.figure import Figure

from experiments.configs import toy_2d
from experiments.configs.choices import LOSSES, PRACTICAL_LOSSES
from experiments.configs.toy_2d import RingSettings
from experiments.reproduce.loss_zoo import heat_maps
from gan_jax import losses, training

SEEDS = (3, 4, 5)
SETTINGS = RingSettings(
  generator_width=8,
  generator_depth=1,
  discriminator_width=8,
  discriminator_depth=1,
  generator_learning_rate=0.01,
  discriminator_learning_rate=0.01,
  batch_size=8,
  steps=20,
  mode_stddev=0.2,
  evaluation_samples=5000,
)


def broken():
  """Returns a loss whose generator cost is NaN once the logits are not 0."""
  return losses.AdversarialLoss(
    lambda real, fake: jnp.sqrt(-jnp.abs(jnp.mean(fake))),
    losses.hinge().discriminator,
  )


def cells(num_seeds=3):
  """Returns cells with the values 100 column + row + seed - 1."""
  columns, rows = len(heat_maps.COLUMNS), len(heat_maps.ROWS)
  numbers = 100.0 * np.arange(columns)[:, None] + np.arange(rows)
  values = numbers[..., None] + np.arange(num_seeds) - 1
  return heat_maps.Cells(values, values, values == 0)


class LossZooTest(absltest.TestCase):
  @pytest.mark.slow
  def test_cells_match_trainings_alone(self):
    zoo = {name: LOSSES[name] for name in ("least_squares", "wasserstein")}
    with mock.patch.object(heat_maps, "ROWS", {"broken": broken, **zoo}):
      trained = heat_maps.train_losses(
        toy_2d.build_ring, SETTINGS, SEEDS, jax.devices()[:2]
      )
    np.testing.assert_array_equal(trained.failed, [[1] * 3, [0] * 3, [0] * 3])
    np.testing.assert_array_equal(trained.modes[0], 0)
    np.testing.assert_array_equal(trained.quality[0], 0)
    alone = training.population(
      toy_2d.build_ring(SETTINGS.replace(loss="wasserstein")),
      3,
      jax.devices()[:1],
      num_drawn=1,
    )
    keys = jax.vmap(training.member_keys)(jnp.array(SEEDS, jnp.uint32))
    progress = alone.advance(
      alone.init(keys), keys, jnp.int32(0), jnp.int32(SETTINGS.steps)
    )
    metrics = alone.evaluate(progress, keys)
    # Rounding may move a few samples over a border. Another loss or seed
    # differs more.
    quality = metrics["high_quality_fraction"]
    np.testing.assert_allclose(trained.quality[2], quality, atol=3e-3)
    np.testing.assert_allclose(
      trained.modes[2], metrics["modes_covered"], atol=1
    )
    for other in (trained.quality[1], np.roll(quality, 1)):
      self.assertGreater(np.abs(quality - other).max(), 1e-2)

  def test_checks_use_the_right_cells(self):
    checks = heat_maps.check_cells({"ring": cells(), "grid": cells()})
    # Columns: none, R1, WGAN-GP of simultaneous; so of alternating from 3, of
    # extragradient from 6. Rows: minimax 0, non_saturating 1, f_jensen_shannon
    # 13, f_gan 15, f_pearson 17, each with its practical row below. Two cells
    # of column 0 are 0, which is a failure here: row 0 of the second seed and
    # row 1 of the first.
    self.assertEqual(
      [check.measured for check in checks],
      [1, 1, 200, 600, 100, 1, 100, 100, 15, 13, 15, 13, 2 / (9 * 26 * 3)],
    )

  def test_checks_fail_where_penalties_have_no_effect(self):
    values = np.full((len(heat_maps.COLUMNS), len(heat_maps.ROWS), 3), 8.0)
    found = heat_maps.check_cells(
      {
        name: heat_maps.Cells(values, np.full_like(values, 0.55), values == 0)
        for name in heat_maps.DATA
      }
    )
    failed = [check.name for check in found if not check.passed]
    self.assertLen(failed, 6, failed)
    for name in failed:
      self.assertRegex(name, "^modes that .* adds")

  def test_each_practical_row_is_below_its_loss(self):
    rows = list(heat_maps.ROWS)
    for index, row in enumerate(rows):
      if row not in LOSSES:
        self.assertEqual(row, f"{rows[index - 1]}, practical")
    self.assertLen(rows, len(LOSSES) + len(PRACTICAL_LOSSES))
    # -E v at v = 2, and not the zero-sum 2^2 / 4 + 2 - 0 with a minus sign.
    pearson = heat_maps.ROWS["f_pearson, practical"]()
    self.assertEqual(pearson.generator(jnp.zeros(1), jnp.full(1, 2.0)), -2)

  def test_draw(self):
    drawn = heat_maps.draw({"cells": {"ring": cells(), "grid": cells(1)}})
    self.assertIsInstance(drawn, Figure)
    self.assertLen(drawn.axes, 4)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    self.assertLen(texts, 9 * 27 + 3)
    # The mean of the rows that are not practical, 0 to 8, 9, 11, ..., 25: 10.5.
    self.assertIn("110.5 ±2.5", texts)
    # Three seeds 100 - 1, 100, 100 + 1 of the second column: t = 4.303, so the
    # interval is 4.303 / sqrt(3).
    self.assertIn("100.0 ±2.5", texts)
    self.assertIn("0.0 ±2.5\n1 failed", texts)


if __name__ == "__main__":
  absltest.main()
