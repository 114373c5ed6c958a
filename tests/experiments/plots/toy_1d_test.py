"""Pictures of one-dimensional games show what the run measured."""

import chex
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.collections import QuadMesh
from matplotlib.patches import StepPatch
from scipy import stats

from experiments.configs import toy_1d
from experiments.plots import curves
from experiments.plots import toy_1d as plots_1d
from gan_jax.data import densities
from tests.experiments.drawn_runs import (
  MIXTURE,
  make_1d,
  pixels_of,
  render,
  ydata,
)


class OneDimensionalTest(parameterized.TestCase):
  def test_density_over_time_shares_its_colours_with_the_data(self):
    run = make_1d(num_seeds=2)
    axes, strip = plots_1d.densities_over_time(run).axes[:2]
    (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
    (data,) = [c for c in strip.collections if isinstance(c, QuadMesh)]
    generated = run.snapshots["generated_density"]
    np.testing.assert_array_equal(mesh.get_array(), generated[0].T)
    np.testing.assert_array_equal(
      np.ravel(np.asarray(data.get_array())), run.snapshots["data_density"]
    )
    self.assertEqual(mesh.get_clim(), data.get_clim())
    # Frames are 500 steps apart, their cells end half way.
    np.testing.assert_allclose(
      np.asarray(mesh.get_coordinates())[0, :, 0], np.arange(-250, 10251, 500)
    )

  def test_last_frame_in_one_panel_per_member(self):
    run = make_1d(num_seeds=9, data=MIXTURE, failed=[(4, 20)])
    figure = plots_1d.final_1d(run)
    # Left and right axes alternate: all the left ones were made first.
    left, right = figure.axes[:8], figure.axes[8:]
    self.assertLen(right, 8)
    x, p = run.snapshots["x"], run.snapshots["data_density"]
    for member in range(8):
      q = run.snapshots["generated_density"][member, -1]
      np.testing.assert_array_equal(ydata(left[member], "generated density"), q)
      np.testing.assert_array_equal(
        ydata(right[member], "D(x)"),
        run.snapshots["discriminator"][member, -1],
      )
      np.testing.assert_allclose(
        ydata(right[member], "D*(x) = p / (p + q)"),
        p / (p + q),
        rtol=1e-5,
      )
      np.testing.assert_allclose(right[member].get_ylim(), (0, 1), atol=0.03)
      self.assertEqual(left[member].get_title(), f"seed {member + 3}")
      self.assertEqual(
        [text.get_text() for text in left[member].texts],
        ["failed"] if member == 4 else [],
      )
      (bars,) = [c for c in left[member].patches if isinstance(c, StepPatch)]
      heights, edges, _ = bars.get_data()
      samples = run.snapshots["samples"][member, -1, :, 0]
      inside = np.mean((samples >= x[0]) & (samples <= x[-1]))
      np.testing.assert_allclose(
        np.sum(heights * np.diff(edges)), inside, rtol=1e-5
      )

  def test_points_resolve_modes_however_narrow(self):
    modes = ((-3.0, 1e-3), (2.0, 0.5), (9.0, 1e-2))
    density = densities.normal_mixture(*zip(*modes, strict=True))
    x = np.asarray(toy_1d.drawn_points(density), float)
    self.assertTrue(np.all(np.diff(x) >= 0))
    for mode in modes:
      # All of it is within five deviations, and the rule misses none.
      area = np.trapezoid(stats.norm.pdf(x, *mode), x)
      self.assertAlmostEqual(area, 1, delta=1e-3)
    # From -3.005 to 9.05, and a twentieth of that on either side.
    np.testing.assert_allclose(x[[0, -1]], (-3.60775, 9.65275), atol=1e-5)
    # The start, N(0, 1): all but Phi(-3.60775) = 0.00015.
    area = np.trapezoid(stats.norm.pdf(x), x)
    self.assertAlmostEqual(area, 0.99985, delta=5e-5)

  def test_a_narrow_mode_is_drawn(self):
    density = densities.normal_mixture([5.0], [1e-3])
    x = np.asarray(toy_1d.drawn_points(density))
    run = make_1d()
    shape = (*run.snapshots["generated_density"].shape[:2], len(x))
    run = run._replace(
      snapshots={
        **run.snapshots,
        "x": x,
        "data_density": stats.norm.pdf(x, 5.0, 1e-3),
        **{
          name: np.broadcast_to(stats.norm.pdf(x), shape)
          for name in (
            "generated_density",
            "discriminator",
            "optimal_discriminator",
          )
        },
      }
    )
    for still in (plots_1d.densities_over_time, plots_1d.frames_1d):
      self.assertGreater(np.ptp(render(still(run))), 200)
    # The peak, 1 / (sqrt(2 pi) 1e-3) = 399, stands in the picture.
    axes = plots_1d.final_1d(run).axes[0]
    self.assertAlmostEqual(axes.dataLim.ymax, 398.94, delta=0.02 * 398.94)
    self.assertGreater(axes.get_ylim()[1], 399)
    # Its moments too are those of the data.
    for panel, value in zip(curves.moments(run).axes, (5, 1e-3), strict=True):
      np.testing.assert_allclose(ydata(panel, "data"), value, rtol=1e-2)

  def test_frames_side_by_side(self):
    run = make_1d(num_seeds=2, failed=[(1, 3)])
    panels = plots_1d.frames_1d(run).axes
    left, right = panels[:6], panels[6:]
    # Twenty-one frames: 20 (k / 5)^2, each 500 steps from the next.
    frames = [0, 1, 3, 7, 13, 20]
    self.assertEqual(
      [axes.get_title() for axes in left],
      [f"step {500 * frame:,}" for frame in frames],
    )
    for axes, other, frame in zip(left, right, frames, strict=True):
      np.testing.assert_array_equal(
        ydata(axes, "generated density"),
        run.snapshots["generated_density"][0, frame],
      )
      np.testing.assert_array_equal(
        ydata(other, "D(x)"), run.snapshots["discriminator"][0, frame]
      )
      np.testing.assert_allclose(other.get_ylim(), (0, 1), atol=0.03)

  def test_a_critic_has_no_optimal_probability(self):
    run = make_1d(critic=True)
    figure = plots_1d.final_1d(run)
    right = figure.axes[1]
    self.assertLen(right.lines, 1)
    self.assertEqual(right.get_ylabel(), "critic D(x)")
    values = run.snapshots["discriminator"][0, -1]
    self.assertLess(right.get_ylim()[0], values.min())
    self.assertGreater(right.get_ylim()[1], values.max())

  def test_a_collapsed_generator_does_not_flatten_the_data(self):
    run = make_1d()
    run.snapshots["generated_density"][0, -1, 100] = 1e4
    axes = plots_1d.final_1d(run).axes[0]
    peak = run.snapshots["data_density"].max()
    self.assertLess(axes.get_ylim()[1], 4 * peak)

  def test_data_stands_still_while_both_players_move(self):
    run = make_1d()
    run.snapshots["step"][:] = 0
    for name in ("generated_density", "discriminator"):
      run.snapshots[name][:] = run.snapshots[name][:, :1]
    still = [np.asarray(frame) for frame in plots_1d.animation_1d(run)]
    self.assertLen(still, 21)
    chex.assert_trees_all_equal(*still)
    run.snapshots["generated_density"][:, 3] *= 0.5
    run.snapshots["discriminator"][:, 7] = 0.25
    moved = [np.asarray(frame) for frame in plots_1d.animation_1d(run)]
    changed = [
      index
      for index, (a, b) in enumerate(zip(still, moved, strict=True))
      if np.any(a != b)
    ]
    self.assertEqual(changed, [3, 7])
    blue = pixels_of(moved[7], curves.DISCRIMINATOR)
    # A level D is one row of blue at three quarters of the way down.
    row = np.argmax(blue[: len(blue) * 4 // 5].sum(axis=1))
    self.assertGreater(blue[row].sum(), 400)
    self.assertLess(pixels_of(moved[6], curves.DISCRIMINATOR)[row].sum(), 100)

  @parameterized.parameters({}, {"critic": True, "failed": [(0, 100)]})
  def test_animation_ends_with_the_last_frame(self, **kwargs):
    run = make_1d(num_logs=171, **kwargs)
    frames = list(plots_1d.animation_1d(run))
    self.assertLen(frames, 80)
    self.assertEqual({frame.size for frame in frames}, {(640, 400)})
    self.assertEqual({frame.mode for frame in frames}, {"RGB"})
    self.assertNotEqual(frames[0].tobytes(), frames[1].tobytes())
    run.snapshots["step"][-1] += 1
    changed = list(plots_1d.animation_1d(run))
    same = [
      a.tobytes() == b.tobytes() for a, b in zip(frames, changed, strict=True)
    ]
    self.assertEqual(same, [True] * 79 + [False])


if __name__ == "__main__":
  absltest.main()
