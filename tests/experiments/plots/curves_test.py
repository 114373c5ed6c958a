"""Tests of the pictures, on runs written down by hand."""

import subprocess
import sys

import matplotlib
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from scipy import stats

from experiments.plots import curves, toy_1d, toy_2d
from experiments.run_folder.results import Results
from tests.experiments.drawn_runs import (
  ALL,
  MIXTURE,
  NORMAL,
  band,
  line,
  make_1d,
  make_2d,
  render,
  ydata,
)

STILLS_1D = (
  curves.costs,
  curves.discriminator,
  curves.gradients,
  curves.score,
  curves.moments,
  curves.distances,
  toy_1d.densities_over_time,
  toy_1d.final_1d,
  toy_1d.frames_1d,
)


STILLS_2D = (
  curves.costs,
  curves.discriminator,
  curves.gradients,  # Runs of the plane are of an earlier version: they have
  curves.score,  # neither of the two.
  curves.modes,
  toy_2d.samples_over_time,
  toy_2d.final_2d,
)


class ImageQualityTest(parameterized.TestCase):
  @parameterized.parameters(0.5, np.nan)
  def test_what_is_not_measured_is_said(self, value):
    run = make_2d()
    names = ("frechet_distance", "precision", "recall")
    measured = {name: np.full((1, 41), value) for name in names}
    figure = curves.image_quality(
      run._replace(metrics={**run.metrics, **measured})
    )
    render(figure)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    self.assertEqual(said, ["not measured"] * 3 if np.isnan(value) else [])

  def test_features_that_may_know_nothing_are_said(self):
    run = make_2d()
    for protocol, said in (({}, False), ({"not_scored": "chance"}, True)):
      figure = curves.image_quality(run._replace(protocol=protocol))
      self.assertEqual("may know nothing" in figure.get_suptitle(), said)


class ManyStepsTest(parameterized.TestCase):
  def drawn(self, values):
    """Returns the points at which a curve of a run is drawn."""
    values = np.atleast_2d(values)
    run = Results(
      experiment="ring",
      settings={},
      seeds=np.arange(len(values)),
      steps=10 * np.arange(values.shape[1]),
      metrics={"kid": values},
      snapshots={},
    )
    (axes,) = Figure().subplots(1, 1, squeeze=False).ravel()
    curves.curve(axes, run, "kid", "black", "label")
    return np.asarray(line(axes, "label").get_xydata())

  def test_few_steps_are_all_drawn(self):
    values = np.sin(np.arange(curves.MAX_POINTS))
    np.testing.assert_allclose(self.drawn(values)[:, 1], values)

  @parameterized.parameters(31, 40_000, 77_777, 99_999)
  def test_a_spike_is_not_lost(self, place):
    values = np.full(100_000, 2.0)
    values[place] = 7.0
    points = self.drawn(values)
    self.assertLessEqual(len(points), curves.MAX_POINTS + 2)
    np.testing.assert_array_equal(
      points[points[:, 1] == 7.0], [[10 * place, 7.0]]
    )
    self.assertEqual(points[0, 0], 0)
    self.assertEqual(points[-1, 0], 999_990)
    self.assertTrue((np.diff(points[:, 0]) > 0).all())

  def test_the_mean_is_of_the_seeds_that_have_a_value(self):
    values = np.array([[1.0, np.nan, np.inf, 4.0], [3.0, 5.0, 1.0, np.nan]])
    np.testing.assert_array_equal(
      self.drawn(values), [[0, 2.0], [10, 5.0], [30, 4.0]]
    )


class EveryPictureTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("one_seed", make_1d, STILLS_1D, {"data": MIXTURE}),
    ("eight_seeds", make_1d, STILLS_1D, {"num_seeds": 8, "failed": [(2, 9)]}),
    ("critic", make_1d, STILLS_1D, {"critic": True, "failed": [(0, 1)]}),
    ("one_step", make_1d, STILLS_1D, {"num_logs": 1}),
    ("all_failed", make_1d, STILLS_1D, {"num_seeds": 2, "failed": ALL}),
    ("plane_one_seed", make_2d, STILLS_2D, {}),
    ("plane_eight", make_2d, STILLS_2D, {"num_seeds": 8, "failed": [(3, 9)]}),
    ("plane_one_step", make_2d, STILLS_2D, {"num_logs": 1, "critic": True}),
    (
      "plane_all_failed",
      make_2d,
      STILLS_2D,
      {"num_seeds": 2, "failed": ALL, "critic": True},
    ),
  )
  def test_is_titled_labelled_and_rendered_without_a_warning(
    self, make, stills, kwargs
  ):
    run = make(**kwargs)
    before = dict(matplotlib.rcParams)
    for still in stills:
      with self.subTest(still.__name__):
        figure = still(run)
        pixels = render(figure)
        self.assertIn(pixels.shape[1], (640, 800, 1050))
        self.assertGreater(np.ptp(pixels), 200)
        heading = figure.get_suptitle()
        for word in (
          run.experiment,
          f"{len(run.seeds)} seed",
          f"loss={run.settings['loss']}",
          f"update={run.settings['update']}",
        ):
          self.assertIn(word, heading)
        self.assertEqual("failed" in heading, "failed" in kwargs)
        self.assertTrue(figure.axes[0].get_ylabel())
        self.assertTrue(any(axes.get_xlabel() for axes in figure.axes))
        # Nothing may be drawn under the title or the legend.
        for axes in figure.axes:
          for legend in figure.legends:
            self.assertFalse(
              legend.get_window_extent().overlaps(axes.get_window_extent())
            )
    self.assertEqual(dict(matplotlib.rcParams), before)

  def test_missing_settings_are_left_out_of_the_title(self):
    figure = curves.costs(make_1d()._replace(settings={}))
    self.assertEndsWith(figure.get_suptitle(), "\n1 seed")

  def test_the_title_names_an_objective_that_is_not_standard(self):
    for objective, named in (("standard", False), ("practical", True)):
      run = make_1d()
      run.settings["generator_objective"] = objective
      title = curves.costs(run).get_suptitle()
      self.assertEqual("generator_objective=practical" in title, named)

  def test_a_single_panel_is_800_by_500_pixels(self):
    for still in (curves.costs, toy_1d.final_1d, toy_1d.densities_over_time):
      self.assertEqual(render(still(make_1d())).shape, (500, 800, 3))

  def test_importing_brings_no_global_state_and_no_jax(self):
    subprocess.run(
      [
        sys.executable,
        "-c",
        "import sys; from experiments.plots import curves, toy_1d, toy_2d; "
        "assert not {'matplotlib.pyplot', 'jax'} & set(sys.modules)",
      ],
      check=True,
    )


class CurvesTest(parameterized.TestCase):
  @parameterized.parameters(
    (curves.costs, 0, "generator", "generator_cost"),
    (curves.costs, 0, "discriminator", "discriminator_cost"),
    (curves.discriminator, 0, "real", "discriminator_real"),
    (curves.discriminator, 0, "generated", "discriminator_fake"),
    (curves.moments, 0, "generator", "generated_mean"),
    (curves.moments, 1, "generator", "generated_stddev"),
    (curves.distances, 0, "generator", "wasserstein_1"),
    (curves.distances, 1, "generator", "jensen_shannon"),
  )
  def test_line_is_the_mean_and_band_the_t_interval(
    self, still, panel, label, name
  ):
    run = make_1d(num_seeds=8, failed=[(5, 30)])
    axes = still(run).axes[panel]
    curve = line(axes, label)
    values = run.metrics[name]
    np.testing.assert_array_equal(curve.get_xdata(), run.steps)
    # The eighth member has failed from log 30 on: the mean of seven is left.
    mean = np.concatenate(
      [values[:, :30].mean(0), np.delete(values[:, 30:], 5, axis=0).mean(0)]
    )
    np.testing.assert_allclose(np.asarray(curve.get_ydata()), mean, rtol=1e-6)
    count = np.sum(~np.isnan(values), axis=0)
    half = stats.t.ppf(0.975, count - 1) * stats.sem(values, nan_policy="omit")
    (collection,) = [
      shape
      for shape in axes.collections
      if same_color(shape.get_facecolor()[0, :3], curve.get_color())
    ]
    low, high = mean - half, mean + half
    if name in ("generated_stddev", "wasserstein_1", "jensen_shannon"):
      low = np.maximum(low, 0)
    if name == "jensen_shannon":
      high = np.minimum(high, np.log(2))
    np.testing.assert_allclose(
      band(collection, run.steps), [low, high], rtol=1e-6, atol=1e-9
    )

  def test_two_seeds_have_their_range(self):
    run = make_1d(num_seeds=2)
    figure = curves.costs(run)
    axes = figure.axes[0]
    values = run.metrics["generator_cost"]
    np.testing.assert_allclose(
      band(axes.collections[0], run.steps),
      [values.min(0), values.max(0)],
      rtol=1e-6,
    )
    self.assertIn("mean and range", figure.get_suptitle())

  def test_a_curve_ends_where_a_seed_has_diverged(self):
    run = make_1d(num_seeds=3)
    run.metrics["wasserstein_1"][1, 30:] = np.inf
    curve = line(curves.distances(run).axes[0], "generator")
    np.testing.assert_array_equal(curve.get_xdata(), run.steps[:30])

  def test_one_seed_has_no_band(self):
    self.assertEmpty(curves.costs(make_1d()).axes[0].collections)

  def test_a_single_finite_step_is_a_dot(self):
    for run in (make_1d(num_logs=1), make_1d(failed=[(0, 1)])):
      curve = line(curves.costs(run).axes[0], "generator")
      self.assertEqual(curve.get_marker(), "o")
    self.assertEqual(
      line(curves.costs(make_1d()).axes[0], "generator").get_marker(), ""
    )

  def test_a_failed_member_leaves_its_past(self):
    run = make_1d(failed=[(0, 20)])
    curve = line(curves.costs(run).axes[0], "generator")
    np.testing.assert_array_equal(curve.get_xdata(), run.steps[:20])

  def test_a_dear_metric_is_a_line_through_what_was_measured(self):
    run = make_1d()
    run.metrics["generator_cost"][:, 1::2] = np.nan
    curve = line(curves.costs(run).axes[0], "generator")
    np.testing.assert_array_equal(curve.get_xdata(), run.steps[::2])

  def test_smoothed_labels_have_another_equilibrium(self):
    run = make_1d()
    run.settings["label_smoothing"] = 0.2
    lines = curves.discriminator(run).axes[0].get_lines()
    (equilibrium,) = (
      curve for curve in lines if curve.get_label() == "0.8 · 1/2"
    )
    np.testing.assert_allclose(np.asarray(equilibrium.get_ydata()), 0.4)

  def test_players_keep_their_colours(self):
    axes = curves.costs(make_1d()).axes[0]
    self.assertEqual(line(axes, "generator").get_color(), curves.GENERATED)
    self.assertEqual(
      line(axes, "discriminator").get_color(), curves.DISCRIMINATOR
    )
    axes = curves.discriminator(make_1d()).axes[0]
    self.assertEqual(line(axes, "real").get_color(), curves.DATA)
    self.assertEqual(line(axes, "generated").get_color(), curves.GENERATED)

  def test_a_probability_has_a_line_at_one_half_and_a_critic_none(self):
    axes = curves.discriminator(make_1d()).axes[0]
    self.assertEqual(set(ydata(axes, "1/2")), {0.5})
    np.testing.assert_allclose(axes.get_ylim(), (0, 1), atol=0.03)
    run = make_1d(critic=True)
    axes = curves.discriminator(run).axes[0]
    self.assertLen(axes.lines, 2)
    self.assertIn("critic", axes.get_ylabel())
    np.testing.assert_allclose(
      ydata(axes, "real"), run.metrics["critic_real"][0], rtol=1e-6
    )
    np.testing.assert_allclose(
      ydata(axes, "generated"),
      run.metrics["critic_fake"][0],
      rtol=1e-6,
    )

  @parameterized.parameters(
    # Of the mixture of N(-3, 1) and N(3, 1): variance 1 + 3^2.
    (NORMAL, 15.0, 7.0),
    (MIXTURE, 0.0, np.sqrt(10.0)),
  )
  def test_moments_of_the_data(self, data, mean, stddev):
    panels = curves.moments(make_1d(data=data)).axes
    for axes, expected in zip(panels, (mean, stddev), strict=True):
      # The grid cuts off 2e-4 of N(15, 7), beyond 3.6 standard deviations.
      np.testing.assert_allclose(
        ydata(axes, "data"), expected, rtol=2e-3, atol=1e-5
      )

  def test_an_interval_does_not_take_a_deviation_below_zero(self):
    run = make_1d(num_seeds=3)
    run.metrics["generated_stddev"][:, -1] = [0.1, 1.1, 2.1]
    panels = curves.moments(run).axes
    # Mean 1.1, s / sqrt(3) = 1 / sqrt(3), and Student's t of two degrees of
    # freedom 4.303.
    low, high = band(panels[1].collections[0], run.steps[-1:])
    np.testing.assert_allclose(low, 0)
    np.testing.assert_allclose(high, 1.1 + 4.3027 / 3**0.5, atol=1e-3)
    self.assertEqual(panels[1].get_ylim()[0], 0)
    # A mean may be negative.
    self.assertLess(curves.moments(make_1d()).axes[0].get_ylim()[0], 0)

  def test_costs_are_in_nats_where_the_discriminator_is_a_probability(self):
    for critic, label in ((False, "cost (nats)"), (True, "cost")):
      axes = curves.costs(make_1d(critic=critic)).axes[0]
      self.assertEqual(axes.get_ylabel(), label)

  def test_the_ceiling_of_jensen_shannon(self):
    axes = curves.distances(make_1d()).axes[1]
    np.testing.assert_allclose(
      ydata(axes, "log 2: no overlap"), 0.693147, rtol=1e-6
    )
    self.assertGreater(axes.get_ylim()[1], 0.7)

  def test_average_is_a_second_line_where_it_is_measured(self):
    run = make_2d(num_seeds=8)
    panels = curves.modes(run).axes
    names = (
      "modes_covered",
      "modes_balanced",
      "high_quality_fraction",
      "reverse_kl",
    )
    for axes, name in zip(panels, names, strict=True):
      for label, prefix in (
        ("generator", ""),
        ("generator average", "average_"),
      ):
        np.testing.assert_allclose(
          ydata(axes, label),
          run.metrics[prefix + name].mean(0),
          rtol=1e-6,
          atol=1e-9,
        )
    for axes in panels[:2]:
      self.assertEqual(set(ydata(axes, "all modes")), {8})
    run = make_1d()
    for axes in (*curves.moments(run).axes, curves.distances(run).axes[0]):
      self.assertNotIn(
        "generator average", [curve.get_label() for curve in axes.lines]
      )
    run.metrics["average_wasserstein_1"] = run.metrics["wasserstein_1"] / 2
    axes = curves.distances(run).axes[0]
    np.testing.assert_allclose(
      ydata(axes, "generator average"),
      run.metrics["wasserstein_1"][0] / 2,
      rtol=1e-6,
    )

  def test_modes_of_a_run_without_balanced_modes(self):
    run = make_2d()
    for name in ("modes_balanced", "average_modes_balanced"):
      del run.metrics[name]
    panels = curves.modes(run).axes
    self.assertLen(panels, 3)
    np.testing.assert_allclose(
      ydata(panels[1], "generator"), run.metrics["high_quality_fraction"][0]
    )
    self.assertEqual(panels[1].get_ylim(), (0, 1.04))


class FramesTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 79, 80, 81, 159, 160, 1000)
  def test_are_at_most_the_limit_with_both_ends(self, num_frames):
    frames = curves.choose_frames(num_frames, 80)
    self.assertLen(frames, min(num_frames, 80))
    self.assertEqual(frames[0], 0)
    self.assertEqual(frames[-1], num_frames - 1)
    # Evenly: no gap is more than one frame longer than another.
    gaps = np.diff(frames)
    if len(gaps):
      self.assertGreaterEqual(gaps.min(), 1)
      self.assertLessEqual(np.ptp(gaps), 1)


if __name__ == "__main__":
  absltest.main()
