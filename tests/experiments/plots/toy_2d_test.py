"""Pictures of two-dimensional games show what the run measured."""

from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.collections import LineCollection

from experiments.plots import curves, toy_2d
from tests.experiments.drawn_runs import (
  line,
  make_2d,
)


class TwoDimensionalTest(parameterized.TestCase):
  def test_samples_at_six_steps(self):
    run = make_2d(num_seeds=2)
    panels = toy_2d.samples_over_time(run).axes
    # Twenty-one frames, 1000 steps apart: every fourth.
    self.assertEqual(
      [axes.get_title() for axes in panels],
      [f"step {step:,}" for step in range(0, 20001, 4000)],
    )
    for axes, frame in zip(panels, range(0, 21, 4), strict=True):
      np.testing.assert_array_equal(
        line(axes, "generated samples").get_xydata(),
        run.snapshots["samples"][0, frame],
      )
      np.testing.assert_array_equal(
        line(axes, "data").get_xydata(), run.snapshots["data_samples"]
      )
      self.assertEqual(axes.get_aspect(), 1)

  def test_last_samples_over_the_discriminator(self):
    run = make_2d(num_seeds=9, failed=[(3, 11)])
    panels = toy_2d.final_2d(run).axes[:-1]
    self.assertLen(panels, 8)
    for member, axes in enumerate(panels):
      (image,) = axes.images
      np.testing.assert_array_equal(
        np.ma.filled(np.ma.array(image.get_array()), np.nan),
        run.snapshots["discriminator"][member, -1],
      )
      self.assertEqual(image.origin, "lower")
      np.testing.assert_array_equal(
        line(axes, "generated samples").get_xydata(),
        run.snapshots["samples"][member, -1],
      )
      self.assertEqual(
        [text.get_text() for text in axes.texts],
        ["failed"] if member == 3 else [],
      )
      (circles,) = [
        c for c in axes.collections if isinstance(c, LineCollection)
      ]
      for circle, mode in zip(
        circles.get_segments(), run.snapshots["modes"], strict=True
      ):
        # Three standard deviations of 0.02.
        np.testing.assert_allclose(
          np.linalg.norm(circle - mode, axis=1), 0.06, rtol=1e-4
        )

  def test_levels_are_sharp_white_at_one_half_and_cover_a_critic(self):
    (image,) = toy_2d.final_2d(make_2d()).axes[0].images
    self.assertEqual(tuple(image.to_rgba(np.array([0.5]))[0]), (1, 1, 1, 1))
    fake, real = image.to_rgba(np.array([0.0, 1.0]))
    self.assertGreater(fake[0], fake[2])
    self.assertGreater(real[2], real[0])
    run = make_2d(num_seeds=2, critic=True)
    figure = toy_2d.final_2d(run)
    values = run.snapshots["discriminator"][:, -1]
    for axes in figure.axes[:2]:
      low, high = axes.images[0].get_clim()
      self.assertLessEqual(low, values.min())
      self.assertGreaterEqual(high, values.max())
    self.assertIn("critic", figure.axes[-1].get_ylabel())

  def test_rows_of_the_discriminator_go_up_and_columns_right(self):
    run = make_2d()
    x, y = run.snapshots["x"], run.snapshots["y"]
    upper_left = (y[:, None] > 0) & (x < 0)
    run.snapshots["discriminator"][:] = upper_left
    run.snapshots["samples"][:] = 100
    pixels = np.asarray(next(toy_2d.animation_2d(run))).astype(int)
    # Blue where D = 1: the upper left quarter of the plane and no other.
    blue = pixels[..., 2] - pixels[..., 0] > 60
    rows, columns = np.nonzero(blue[:, :400])
    self.assertLess(rows.max(), 270)
    self.assertLess(columns.max(), 280)
    self.assertGreater(len(rows), 20000)

  @mock.patch.object(curves, "MAX_FRAMES", 10)
  def test_animation_moves_with_both_players_and_ends_with_the_last(self):
    run = make_2d(failed=[(0, 30)])
    frames = list(toy_2d.animation_2d(run))
    self.assertLen(frames, 10)
    self.assertEqual({frame.size for frame in frames}, {(560, 520)})
    self.assertEqual({frame.mode for frame in frames}, {"RGB"})
    run.snapshots["step"][-1] += 1
    run.snapshots["samples"][:, 0] += 0.5
    chosen = curves.choose_frames(21, 10)
    run.snapshots["discriminator"][:, chosen[5]] *= 0.3
    changed = list(toy_2d.animation_2d(run))
    self.assertEqual(
      [
        index
        for index, (a, b) in enumerate(zip(frames, changed, strict=True))
        if a.tobytes() != b.tobytes()
      ],
      [0, 5, 9],
    )


if __name__ == "__main__":
  absltest.main()
