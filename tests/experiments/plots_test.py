"""Tests of the pictures, on runs written down by hand."""

import io
import subprocess
import sys
from unittest import mock

import chex
import matplotlib
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import same_color, to_rgb
from matplotlib.patches import StepPatch
from PIL import Image
from scipy import special, stats

from experiments import one_dimensional, plots, plots_1d, plots_2d
from experiments.results import Results
from gan_jax.data import densities

STILLS_1D = (
  plots.costs,
  plots.discriminator,
  plots.moments,
  plots.distances,
  plots_1d.densities_over_time,
  plots_1d.final_1d,
  plots_1d.frames_1d,
)
STILLS_2D = (
  plots.costs,
  plots.discriminator,
  plots.modes,
  plots_2d.samples_over_time,
  plots_2d.final_2d,
)
NORMAL = ((15.0, 7.0),)
MIXTURE = ((-3.0, 1.0), (3.0, 1.0))
ALL = ((0, 0), (1, 0))
"""Both members of two fail at once."""


def make_results(name, settings, seeds, steps, metrics, moving, still, failed):
  """Assembles a run that draws every other logged step, and the last."""
  drawn = np.append(np.arange(0, len(steps) - 1, 2), len(steps) - 1)
  metrics = {name: np.array(value) for name, value in metrics.items()}
  moving = {name: np.array(value, "f4") for name, value in moving.items()}
  for member, log in failed:
    for values in (*metrics.values(), *moving.values()):
      values[member, log:] = np.nan
  moving = {name: value[:, drawn] for name, value in moving.items()}
  still = {name: np.array(value, "f4") for name, value in still.items()}
  return Results(
    experiment=name,
    settings=settings,
    seeds=np.asarray(seeds),
    steps=steps,
    metrics=metrics,
    snapshots={"step": steps[drawn], **still, **moving},
  )


def make_1d(num_seeds=1, num_logs=41, data=NORMAL, critic=False, failed=()):
  """A linear generator on its way from N(0, 1) to the moments of the data.

  Member and log (m, l) of `failed`: member m fails at logged step l.
  """
  rng = np.random.default_rng(0)
  x = np.linspace(-15, 40, 221) if data is NORMAL else np.linspace(-8, 8, 221)
  p = np.mean([stats.norm.pdf(x, *mode) for mode in data], axis=0)
  means, stddevs = np.transpose(data)
  goal_stddev = np.sqrt(np.mean(stddevs**2) + np.var(means))
  time = np.linspace(0, 1, num_logs)
  shape = (num_seeds, num_logs)
  rate = rng.uniform(3.5, 7, [num_seeds, 1])
  weight = 1 - np.exp(-rate * time) * np.cos(9 * time)
  noise = 0.1 * rng.normal(size=(2, *shape)) * (time > 0)
  mean = weight * np.mean(means) + noise[0]
  stddev = np.abs(1 + weight * (goal_stddev - 1) + noise[1])
  q = stats.norm.pdf(x, mean[..., None], stddev[..., None])
  logits = np.clip(np.log(p + 1e-12) - np.log(q + 1e-12), -6, 6)
  logits = 0.9 * logits + 0.15 * np.sin(x + 40 * mean[..., None])
  d = logits if critic else special.expit(logits)
  player = "critic" if critic else "discriminator"
  middle = (p + q) / 2
  entropies = special.rel_entr(p, middle) + special.rel_entr(q, middle)
  distances = np.abs(np.cumsum(p - q, axis=-1)) * (x[1] - x[0])
  fooled = np.trapezoid(q * np.logaddexp(0, -logits), x)
  caught = np.trapezoid(q * np.logaddexp(0, logits), x)
  believed = np.trapezoid(p * np.logaddexp(0, -logits), x)
  return make_results(
    "normal" if data is NORMAL else "mixture_near",
    {"loss": "non_saturating", "update": "simultaneous", "batch_size": 64},
    3 + np.arange(num_seeds),
    250 * np.arange(num_logs),
    {
      "generator_cost": fooled,
      "discriminator_cost": believed + caught,
      f"{player}_real": np.trapezoid(p * d, x),
      f"{player}_fake": np.trapezoid(q * d, x),
      "generated_mean": mean,
      "generated_stddev": stddev,
      "wasserstein_1": np.trapezoid(distances, x),
      "jensen_shannon": np.trapezoid(entropies, x) / 2,
    },
    {
      "samples": rng.normal(
        mean[..., None, None], stddev[..., None, None], (*shape, 1000, 1)
      ),
      "generated_density": q,
      "discriminator": d,
      "optimal_discriminator": p / (p + q),
    },
    {"x": x, "data_density": p},
    failed,
  )


def make_2d(num_seeds=1, num_logs=41, critic=False, failed=()):
  """Samples on their way from a blob to eight modes on a ring."""
  rng = np.random.default_rng(1)
  angles = np.arange(8) * np.pi / 4
  modes = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  # More columns than rows, so that an exchange of the two is seen.
  x, y = np.linspace(-3.2, 3.2, 49), np.linspace(-3, 3, 41)
  points = np.stack(np.meshgrid(x, y), axis=-1)
  mode_stddev = 0.02
  time = np.linspace(0, 1, num_logs)
  ramp = 1 - np.exp(-5 * time)
  shape = (num_seeds, num_logs)

  def density(centres, scale, weights):
    square = np.sum((points[..., None, :] - centres) ** 2, axis=-1)
    return np.exp(-square / (2 * scale**2)) @ weights / scale**2

  samples = np.empty([*shape, 512, 2])
  logits = np.empty([*shape, len(y), len(x)])
  real = density(modes, 0.35, np.full(8, 1 / 8))
  for member in range(num_seeds):
    weights = rng.dirichlet(np.full(8, 0.8))
    centres = modes[rng.choice(8, 512, p=weights)]
    noise = rng.normal(size=[512, 2])
    for log, weight in enumerate(ramp):
      scale = mode_stddev + 0.4 * (1 - weight)
      samples[member, log] = weight * centres + scale * noise
      fake = density(weight * modes, 0.35 + 0.3 * (1 - weight), weights)
      logits[member, log] = np.log(real + 1e-3) - np.log(fake + 1e-3)
  player = "critic" if critic else "discriminator"
  return make_results(
    "ring",
    {"loss": "hinge", "update": "alternating"},
    np.arange(num_seeds),
    500 * np.arange(num_logs),
    {
      "generator_cost": 0.7 + rng.gamma(2, 0.2, shape),
      "discriminator_cost": 1.3 - rng.gamma(2, 0.1, shape),
      f"{player}_real": 0.5 + rng.gamma(2, 0.03, shape),
      f"{player}_fake": 0.5 - rng.gamma(2, 0.03, shape),
      "modes_covered": np.round(8 * ramp - rng.uniform(0, 1, shape) * ramp),
      "high_quality_fraction": ramp * rng.uniform(0.7, 0.95, shape),
      "reverse_kl": np.log(8) * (1 - ramp) + rng.gamma(2, 0.1, shape),
      "average_modes_covered": np.round(8 * ramp) * np.ones(shape),
      "average_high_quality_fraction": 0.97 * ramp**2 * np.ones(shape),
      "average_reverse_kl": np.log(8) * (1 - ramp) + rng.gamma(2, 0.02, shape),
    },
    {
      "samples": samples,
      "discriminator": logits if critic else special.expit(logits),
    },
    {
      "x": x,
      "y": y,
      "data_samples": rng.normal(modes[rng.choice(8, 512)], mode_stddev),
      "modes": modes,
      "mode_stddev": mode_stddev,
    },
    failed,
  )


def render(figure):
  """Returns the pixels of a figure as it would be written."""
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png")
  return np.asarray(Image.open(buffer).convert("RGB"))


def line(axes, label):
  """Returns the one line of the axes with a label."""
  (found,) = [x for x in axes.lines if x.get_label() == label]
  return found


def ydata(axes, label):
  """Returns the y of the one line of the axes with a label."""
  return np.asarray(line(axes, label).get_ydata())


def band(collection, steps):
  """Returns the lowest and the highest vertex of a band at each step."""
  vertices = np.concatenate([path.vertices for path in collection.get_paths()])
  at = [vertices[vertices[:, 0] == step, 1] for step in steps]
  return np.array([[y.min(), y.max()] for y in at]).T


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
    figure = plots.costs(make_1d()._replace(settings={}))
    self.assertEndsWith(figure.get_suptitle(), "\n1 seed")

  def test_a_single_panel_is_800_by_500_pixels(self):
    for still in (plots.costs, plots_1d.final_1d, plots_1d.densities_over_time):
      self.assertEqual(render(still(make_1d())).shape, (500, 800, 3))

  def test_importing_brings_no_global_state_and_no_jax(self):
    subprocess.run(
      [
        sys.executable,
        "-c",
        "import sys; from experiments import plots, plots_1d, plots_2d; "
        "assert not {'matplotlib.pyplot', 'jax'} & set(sys.modules)",
      ],
      check=True,
    )


class CurvesTest(parameterized.TestCase):
  @parameterized.parameters(
    (plots.costs, 0, "generator", "generator_cost"),
    (plots.costs, 0, "discriminator", "discriminator_cost"),
    (plots.discriminator, 0, "real", "discriminator_real"),
    (plots.discriminator, 0, "generated", "discriminator_fake"),
    (plots.moments, 0, "generator", "generated_mean"),
    (plots.moments, 1, "generator", "generated_stddev"),
    (plots.distances, 0, "generator", "wasserstein_1"),
    (plots.distances, 1, "generator", "jensen_shannon"),
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
    np.testing.assert_allclose(
      band(collection, run.steps),
      [mean - half, mean + half],
      rtol=1e-6,
      atol=1e-9,
    )

  def test_one_seed_has_no_band(self):
    self.assertEmpty(plots.costs(make_1d()).axes[0].collections)

  def test_a_single_finite_step_is_a_dot(self):
    for run in (make_1d(num_logs=1), make_1d(failed=[(0, 1)])):
      curve = line(plots.costs(run).axes[0], "generator")
      self.assertEqual(curve.get_marker(), "o")
    self.assertEqual(
      line(plots.costs(make_1d()).axes[0], "generator").get_marker(), ""
    )

  def test_a_failed_member_leaves_its_past(self):
    run = make_1d(failed=[(0, 20)])
    curve = line(plots.costs(run).axes[0], "generator")
    np.testing.assert_array_equal(curve.get_xdata(), run.steps[:20])

  def test_a_dear_metric_is_a_line_through_what_was_measured(self):
    run = make_1d()
    run.metrics["generator_cost"][:, 1::2] = np.nan
    curve = line(plots.costs(run).axes[0], "generator")
    np.testing.assert_array_equal(curve.get_xdata(), run.steps[::2])

  def test_smoothed_labels_have_another_equilibrium(self):
    run = make_1d()
    run.settings["label_smoothing"] = 0.2
    lines = plots.discriminator(run).axes[0].get_lines()
    (equilibrium,) = (
      curve for curve in lines if curve.get_label() == "0.8 · 1/2"
    )
    np.testing.assert_allclose(np.asarray(equilibrium.get_ydata()), 0.4)

  def test_players_keep_their_colours(self):
    axes = plots.costs(make_1d()).axes[0]
    self.assertEqual(line(axes, "generator").get_color(), plots.GENERATED)
    self.assertEqual(
      line(axes, "discriminator").get_color(), plots.DISCRIMINATOR
    )
    axes = plots.discriminator(make_1d()).axes[0]
    self.assertEqual(line(axes, "real").get_color(), plots.DATA)
    self.assertEqual(line(axes, "generated").get_color(), plots.GENERATED)

  def test_a_probability_has_a_line_at_one_half_and_a_critic_none(self):
    axes = plots.discriminator(make_1d()).axes[0]
    self.assertEqual(set(ydata(axes, "1/2")), {0.5})
    np.testing.assert_allclose(axes.get_ylim(), (0, 1), atol=0.03)
    run = make_1d(critic=True)
    axes = plots.discriminator(run).axes[0]
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
    panels = plots.moments(make_1d(data=data)).axes
    for axes, expected in zip(panels, (mean, stddev), strict=True):
      # The grid cuts off 2e-4 of N(15, 7), beyond 3.6 standard deviations.
      np.testing.assert_allclose(
        ydata(axes, "data"), expected, rtol=2e-3, atol=1e-5
      )

  def test_an_interval_does_not_take_a_deviation_below_zero(self):
    run = make_1d(num_seeds=2)
    run.metrics["generated_stddev"][:, -1] = [0.1, 2.1]
    panels = plots.moments(run).axes
    # Mean 1.1, s / sqrt(2) = 1, and Student's t of one degree of freedom 12.7.
    low, _ = band(panels[1].collections[0], run.steps[-1:])
    np.testing.assert_allclose(low, 1.1 - 12.706, atol=1e-3)
    self.assertEqual(panels[1].get_ylim()[0], 0)
    self.assertGreater(panels[1].get_ylim()[1], 13)
    # A mean may be negative.
    self.assertLess(plots.moments(make_1d()).axes[0].get_ylim()[0], 0)

  def test_costs_are_in_nats_where_the_discriminator_is_a_probability(self):
    for critic, label in ((False, "cost (nats)"), (True, "cost")):
      axes = plots.costs(make_1d(critic=critic)).axes[0]
      self.assertEqual(axes.get_ylabel(), label)

  def test_the_ceiling_of_jensen_shannon(self):
    axes = plots.distances(make_1d()).axes[1]
    np.testing.assert_allclose(
      ydata(axes, "log 2: no overlap"), 0.693147, rtol=1e-6
    )
    self.assertGreater(axes.get_ylim()[1], 0.7)

  def test_average_is_a_second_line_where_it_is_measured(self):
    run = make_2d(num_seeds=8)
    panels = plots.modes(run).axes
    names = ("modes_covered", "high_quality_fraction", "reverse_kl")
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
    self.assertEqual(set(ydata(panels[0], "all modes")), {8})
    run = make_1d()
    for axes in (*plots.moments(run).axes, plots.distances(run).axes[0]):
      self.assertNotIn(
        "generator average", [curve.get_label() for curve in axes.lines]
      )
    run.metrics["average_wasserstein_1"] = run.metrics["wasserstein_1"] / 2
    axes = plots.distances(run).axes[0]
    np.testing.assert_allclose(
      ydata(axes, "generator average"),
      run.metrics["wasserstein_1"][0] / 2,
      rtol=1e-6,
    )


class FramesTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 79, 80, 81, 159, 160, 1000)
  def test_are_at_most_the_limit_with_both_ends(self, num_frames):
    frames = plots.choose_frames(num_frames, 80)
    self.assertLen(frames, min(num_frames, 80))
    self.assertEqual(frames[0], 0)
    self.assertEqual(frames[-1], num_frames - 1)
    # Evenly: no gap is more than one frame longer than another.
    gaps = np.diff(frames)
    if len(gaps):
      self.assertGreaterEqual(gaps.min(), 1)
      self.assertLessEqual(np.ptp(gaps), 1)


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
    x = np.asarray(one_dimensional.drawn_points(density), float)
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
    x = np.asarray(one_dimensional.drawn_points(density))
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
    for panel, value in zip(plots.moments(run).axes, (5, 1e-3), strict=True):
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
    blue = _pixels(moved[7], plots.DISCRIMINATOR)
    # A level D is one row of blue at three quarters of the way down.
    row = np.argmax(blue[: len(blue) * 4 // 5].sum(axis=1))
    self.assertGreater(blue[row].sum(), 400)
    self.assertLess(_pixels(moved[6], plots.DISCRIMINATOR)[row].sum(), 100)

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


class TwoDimensionalTest(parameterized.TestCase):
  def test_samples_at_six_steps(self):
    run = make_2d(num_seeds=2)
    panels = plots_2d.samples_over_time(run).axes
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
    panels = plots_2d.final_2d(run).axes[:-1]
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
    (image,) = plots_2d.final_2d(make_2d()).axes[0].images
    self.assertEqual(tuple(image.to_rgba(np.array([0.5]))[0]), (1, 1, 1, 1))
    fake, real = image.to_rgba(np.array([0.0, 1.0]))
    self.assertGreater(fake[0], fake[2])
    self.assertGreater(real[2], real[0])
    run = make_2d(num_seeds=2, critic=True)
    figure = plots_2d.final_2d(run)
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
    pixels = np.asarray(next(plots_2d.animation_2d(run))).astype(int)
    # Blue where D = 1: the upper left quarter of the plane and no other.
    blue = pixels[..., 2] - pixels[..., 0] > 60
    rows, columns = np.nonzero(blue[:, :400])
    self.assertLess(rows.max(), 270)
    self.assertLess(columns.max(), 280)
    self.assertGreater(len(rows), 20000)

  @mock.patch.object(plots, "MAX_FRAMES", 10)
  def test_animation_moves_with_both_players_and_ends_with_the_last(self):
    run = make_2d(failed=[(0, 30)])
    frames = list(plots_2d.animation_2d(run))
    self.assertLen(frames, 10)
    self.assertEqual({frame.size for frame in frames}, {(560, 520)})
    self.assertEqual({frame.mode for frame in frames}, {"RGB"})
    run.snapshots["step"][-1] += 1
    run.snapshots["samples"][:, 0] += 0.5
    chosen = plots.choose_frames(21, 10)
    run.snapshots["discriminator"][:, chosen[5]] *= 0.3
    changed = list(plots_2d.animation_2d(run))
    self.assertEqual(
      [
        index
        for index, (a, b) in enumerate(zip(frames, changed, strict=True))
        if a.tobytes() != b.tobytes()
      ],
      [0, 5, 9],
    )


def _pixels(image, color):
  """Tells which pixels [rows, columns] are near a colour."""
  rgb = 255 * np.array(to_rgb(color))
  return np.abs(image.astype(float) - rgb).max(axis=-1) < 60


if __name__ == "__main__":
  absltest.main()
