"""Figures of a sweep: which there are, and what they show."""

import tempfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from experiments.errors import RunFolderError
from experiments.run_folder import results
from experiments.sweeps import labels, ranking
from experiments.sweeps.plots import (
  bars,
  heat_map,
  learning_curves,
  overview,
  scores_by_setting,
  style,
)
from tests.experiments.sweeps import finished_sweeps

RATES = "generator_learning_rate=1e-4,0.01,1"
BETAS = "discriminator_beta1=0.5,0,0.9"
LOSSES = "loss=hinge,minimax"


def score(values):
  """Is best at a small rate and a large beta."""
  rate = values.get("generator_learning_rate", 0.5)
  beta = values.get("discriminator_beta1", 0.0)
  return 0.5 - 0.3 * rate + 0.4 * beta + np.array([-0.01, 0, 0.01])


def points(line):
  """Returns the points of a line, [n, 2]."""
  return np.asarray(line.get_xydata(), float)


class PlotsTest(parameterized.TestCase):
  def finished(self, failures=None, scores=score, **changes):
    """Returns a plan, and its ranked trials."""
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    plan = finished_sweeps.plan(**changes)
    num_seeds = len(plan.base.seeds)
    finished_sweeps.finish(
      plan, folder, lambda values: scores(values)[:num_seeds], failures
    )
    return plan, ranking.rank_trials(ranking.read_trials(plan, folder))

  @parameterized.parameters(
    ({"grid": RATES}, ["line"]),
    ({"grid": f"{RATES};batch_size=8"}, ["line"]),
    ({"grid": LOSSES}, ["ranked"]),
    ({"grid": "batch_size=8"}, ["ranked"]),
    ({"grid": "penalty_weight=1,10", "penalty": ("r1",)}, ["line"]),
    ({"grid": f"{RATES};{BETAS}"}, ["heat_map"]),
    ({"grid": f"{RATES};{LOSSES}"}, ["ranked"]),
    ({"grid": f"{RATES};{LOSSES};{BETAS}"}, ["heat_maps"]),
    ({"grid": f"{RATES};{BETAS};batch_size=8,9"}, ["heat_maps"]),
    ({"grid": f"{RATES};{LOSSES};optimizer=adam,sgd"}, ["ranked"]),
    (
      {"random": "batch_size=log:2:900", "draws": 6},
      ["drawn", "ranked"],
    ),
    (
      {"grid": LOSSES, "random": "batch_size=log:2:900", "draws": 3},
      ["drawn", "ranked"],
    ),
  )
  def test_the_shape_of_the_grid_chooses(self, changes, names):
    plan, ranked = self.finished(**changes)
    figures = overview.figures(plan, ranked)
    self.assertEqual(
      sorted(figures),
      sorted(f"{each}.png" for each in [*names, "learning_curves"]),
    )

  def test_a_heat_map(self):
    plan, ranked = self.finished(grid=f"{RATES};{BETAS}")
    up, across = plan.axes
    figure = heat_map.heat_maps(plan, ranked, across, up)
    axes = figure.axes[0]
    # Values are in order, and labels are theirs.
    self.assertEqual(
      [each.get_text() for each in axes.get_xticklabels()], ["0", "0.5", "0.9"]
    )
    self.assertEqual(
      [each.get_text() for each in axes.get_yticklabels()],
      ["0.0001", "0.01", "1"],
    )
    texts = {each.get_position(): each.get_text() for each in axes.texts}
    self.assertLen(texts, 9)
    # 0.5 - 0.3 + 0, and t(0.975, 2) 0.01 / sqrt(3) = 0.0248.
    self.assertEqual(texts[0, 2], "0.200\n± 0.025")
    self.assertEqual(texts[2, 0], "0.860\n± 0.025")
    frames = {
      tuple(np.round(each.get_center())): each.get_linewidth()
      for each in axes.patches
      if isinstance(each, Rectangle)
    }
    # Rates 1e-4 and 0.01 differ by 0.003 of 0.5, less than the seeds tell.
    self.assertEqual(set(frames), {(2, 0), (2, 1)})
    self.assertGreater(frames[2, 0], frames[2, 1])
    self.assertEqual(axes.get_xlabel(), "discriminator beta1")
    self.assert_apart(figure)

  @parameterized.parameters(
    # Trials that tie are drawn on the whole scale, so that noise is not seen.
    (0.001, (0, 1), True),
    (0.1, (0.3, 0.5), False),
  )
  def test_colours_of_ties(self, effect, limits, says):
    def scores(values):
      is_worse = values["generator_learning_rate"] < 1
      return 0.5 - 2 * effect * is_worse + np.array([-0.01, 0, 0.01])

    lost = "generator_learning_rate=0.01,discriminator_beta1={}"
    failures = {lost.format(beta): {5: 0, 6: 0, 7: 0} for beta in (0, 0.9)}
    for failed, who in (
      ({}, "All trials tie"),
      (failures, "All trials that did not fail tie"),
    ):
      plan, ranked = self.finished(
        failed, scores=scores, grid=f"{RATES};{BETAS}"
      )
      up, across = plan.axes
      figure = heat_map.heat_maps(plan, ranked, across, up)
      axes = figure.axes[0]
      mesh = axes.collections[0]
      ends = np.array([mesh.norm.vmin, mesh.norm.vmax], float)
      np.testing.assert_allclose(ends, limits)
      self.assertEqual(who in figure.get_suptitle(), says)
      # Cells of failed trials have no colour of the scale.
      colors = np.ma.asarray(mesh.get_array())
      self.assertEqual(np.ma.count_masked(colors), len(failed))
      grey = [
        tuple(np.round(each.get_center()))
        for each in axes.patches
        if isinstance(each, Rectangle)
        and each.get_facecolor() == to_rgba(style.FAILED)
      ]
      self.assertCountEqual(grey, [(0, 1), (2, 1)] if failed else [])
      entries = [each.get_text() for each in figure.legends[0].get_texts()]
      self.assertEqual("failed" in entries, bool(failed))
      self.assert_apart(figure)

  def test_maps_side_by_side(self):
    plan, ranked = self.finished(
      grid=f"{RATES};{LOSSES};{BETAS}", skips_invalid=True, num_seeds=1
    )
    up, by, across = plan.axes
    # A point that no trial has.
    ranked = [
      each
      for each in ranked
      if each.trial.values["loss"] == "hinge" or each.trial.values[up.name] < 1
    ]
    figure = heat_map.heat_maps(plan, ranked, across, up, by)
    hinge, minimax, _ = figure.axes
    self.assertEqual(hinge.get_title(loc="left"), "loss hinge")
    self.assertLen(hinge.texts, 9)
    self.assertLen(minimax.texts, 6)
    self.assertNotIn("±", hinge.texts[0].get_text())
    self.assertIn(labels.ONE_SEED, figure.get_suptitle())
    self.assert_apart(figure)

  def test_a_very_bad_trial_does_not_take_all_colours(self):
    values = ",".join(f"{each / 100}" for each in range(1, 9))
    name = "generator_learning_rate=0.01,discriminator_beta1=0.5"
    plan, ranked = self.finished(
      grid=f"generator_learning_rate={values};{BETAS}",
      failures={name: {5: 0, 6: 0}},
    )
    up, across = plan.axes
    figure = heat_map.heat_maps(plan, ranked, across, up)
    mesh = figure.axes[0].collections[0]
    # It is below the scale: 0.697 + 0.01 of one seed of three.
    worst = np.ma.min(np.ma.asarray(mesh.get_array()))
    self.assertAlmostEqual(worst, 0.707 / 3)
    self.assertLess(np.asarray(mesh.norm(np.array([worst])))[0], 0)

  def test_a_line(self):
    plan, ranked = self.finished(grid=RATES)
    figure = scores_by_setting.line(plan, ranked, plan.axes[0])
    (axes,) = figure.axes
    self.assertEqual(axes.get_xscale(), "log")
    mean, seeds, other, tie, best = axes.lines
    np.testing.assert_allclose(points(mean)[:, 0], [1e-4, 0.01, 1])
    np.testing.assert_allclose(points(mean)[:, 1], [0.49997, 0.497, 0.2])
    self.assertLen(points(seeds)[:, 0], 9)
    np.testing.assert_allclose(points(best), [[1e-4, 0.49997]])
    np.testing.assert_allclose(points(tie), [[0.01, 0.497]])
    np.testing.assert_allclose(points(other), [[1, 0.2]])
    self.assertLen(axes.collections, 1)
    FigureCanvasAgg(figure).draw()
    self.assertEqual(
      [each.get_text() for each in axes.get_xticklabels()],
      ["0.0001", "0.01", "1"],
    )
    self.assert_apart(figure)

  def test_a_line_with_failed_trials(self):
    lost = {"generator_learning_rate=0.01": {5: 0, 6: 0, 7: 0}}
    plan, ranked = self.finished(lost, grid=RATES)
    figure = scores_by_setting.line(plan, ranked, plan.axes[0])
    (axes,) = figure.axes
    crosses = [each for each in axes.lines if each.get_marker() == "x"]
    self.assertEqual([each.get_label() for each in crosses], ["failed"])
    np.testing.assert_allclose(points(crosses[0]), [[0.01, 0]])
    mean, seeds = axes.lines[:2]
    np.testing.assert_allclose(points(mean)[:, 1], [0.49997, np.nan, 0.2])
    self.assertEqual(np.isnan(points(seeds)[:, 1]).sum(), 3)
    self.assert_apart(figure)
    (legend,) = figure.legends
    ends = legend.get_window_extent()
    self.assertGreater(ends.x0, 0)
    self.assertLess(ends.x1, figure.bbox.width)

  def test_bars_of_two_protocols(self):
    values = ",".join(f"{each}" for each in range(1, 21))
    plan, ranked = self.finished(
      grid=f"batch_size={values};evaluation_samples=50,60",
      scores=lambda each: 0.9 - 0.01 * each["batch_size"] + np.zeros(3),
    )
    figure = bars.bars(plan, ranked)
    (axes,) = figure.axes
    texts = [each.get_text() for each in axes.get_yticklabels()]
    # As many of each, apart.
    self.assertEqual(texts[:2], ["A · 1 · 50", "A · 2 · 50"])
    self.assertEqual(texts[14:16], ["A · 15 · 50", "B · 1 · 60"])
    self.assertLen(texts, 30)
    distances = np.diff(
      [
        each.get_center()[1]
        for each in axes.patches
        if isinstance(each, Rectangle)
      ]
    )
    self.assertGreater(distances[14], 1.5)
    np.testing.assert_allclose(np.delete(distances, 14), 1)
    self.assertIn("labels: protocol · batch size", figure.get_suptitle())
    self.assert_apart(figure)

  def test_bars(self):
    values = ",".join(f"{each}" for each in range(1, 41))
    plan, ranked = self.finished(
      grid=f"batch_size={values};{LOSSES}",
      scores=lambda each: (
        0.9 - 0.01 * each["batch_size"] + np.array([0, 0, 1e-4])
      ),
      failures={"batch_size=1,loss=hinge": {5: 50}},
    )
    figure = bars.bars(plan, ranked)
    (axes,) = figure.axes
    texts = [each.get_text() for each in axes.get_yticklabels()]
    self.assertLen(texts, bars.MAX_BARS)
    self.assertEqual(texts[:2], ["1 · minimax", "2 · hinge"])
    self.assertIn("labels: batch size · loss", figure.get_suptitle())
    rectangles = [each for each in axes.patches if isinstance(each, Rectangle)]
    np.testing.assert_allclose(
      [each.get_width() for each in rectangles],
      np.array([each.score.mean for each in ranked[:30]], float),
    )
    colors = [each.get_facecolor() for each in rectangles]
    self.assertNotEqual(colors[0], colors[1])
    self.assert_apart(figure)

  def test_what_was_drawn(self):
    plan, ranked = self.finished(
      random="generator_learning_rate=log:1e-4:1;discriminator_beta1="
      "uniform:0:0.9;loss=hinge,minimax",
      draws=20,
    )
    figure = scores_by_setting.scatter(plan, ranked, plan.drawn)
    rates, betas, losses = figure.axes
    self.assertEqual(
      [each.get_xscale() for each in figure.axes], ["log", "linear", "linear"]
    )
    best = ranked[0].trial.values
    for axes, name in ((rates, plan.drawn[0]), (betas, plan.drawn[1])):
      (star,) = (each for each in axes.lines if each.get_marker() == "*")
      np.testing.assert_allclose(
        points(star), [[best[name], ranked[0].score.mean]]
      )
    self.assertEqual(
      [each.get_text() for each in losses.get_xticklabels()],
      ["hinge", "minimax"],
    )
    self.assert_apart(figure)

  def test_learning_curves(self):
    failures = {"batch_size=3": {6: 50}}
    plan, ranked = self.finished(
      grid="batch_size=1,2,3",
      scores=lambda each: np.array([0.2, 0.4, 0.6]) + 0.1 * each["batch_size"],
      failures=failures,
    )
    # The third has lost 0.7 of 2.1, and is last; the second is the best.
    self.assertEqual(
      [each.trial.values["batch_size"] for each in ranked], [2, 1, 3]
    )
    figure = learning_curves.learning_curves(plan, ranked)
    (axes,) = figure.axes
    best, median = axes.lines
    np.testing.assert_allclose(points(best)[:, 1], [0.3, 0.54, 0.6], atol=1e-6)
    np.testing.assert_allclose(
      points(median)[:, 1], [0.25, 0.45, 0.5], atol=1e-6
    )
    self.assertEqual(best.get_label(), "best: batch_size=2")
    # From where a seed failed its score is 0.
    figure = learning_curves.learning_curves(plan, ranked[2:])
    np.testing.assert_allclose(
      points(figure.axes[0].lines[0])[:, 1],
      [0.35, 0.9 * 1.4 / 3, 1.4 / 3],
      atol=1e-6,
    )
    (ranked[0].results.workdir / results.METRICS).unlink()
    with self.assertRaisesRegex(RunFolderError, "batch_size=2"):
      learning_curves.learning_curves(plan, ranked)

  def test_learning_curves_of_a_protocol_that_failed(self):
    name = "evaluation_samples=50"
    plan, ranked = self.finished(
      {name: {5: 0, 6: 0, 7: 0}}, grid="evaluation_samples=50,60"
    )
    figure = learning_curves.learning_curves(plan, ranked)
    self.assertEqual(
      [str(each.get_label()) for each in figure.axes[0].lines],
      [
        f"first of A: {name} (every seed failed)",
        "best of B: evaluation_samples=60",
      ],
    )

  def test_learning_curves_of_trials_without_the_metric_of_the_score(self):
    plan, ranked = self.finished(grid="batch_size=1,2")
    path = ranked[0].results.workdir / results.METRICS
    path.write_text(path.read_text().replace("jensen_shannon", "earlier_name"))
    figure = learning_curves.learning_curves(plan, ranked)
    best, other = figure.axes[0].lines
    self.assertEmpty(points(best))
    self.assertStartsWith(str(other.get_label()), "other: ")
    self.assertIn("not measured", str(best.get_label()))
    self.assertLen(points(other), len(finished_sweeps.STEPS))
    FigureCanvasAgg(figure).draw()

  @parameterized.parameters(
    {"grid": RATES},
    {"grid": f"{RATES};{BETAS}"},
    {"grid": LOSSES},
    {"random": "batch_size=uniform:2:9", "draws": 4},
  )
  def test_everything_has_failed(self, **changes):
    plan = finished_sweeps.plan(**changes)
    lost = {each.name: {5: 0, 6: 0, 7: 0} for each in plan.trials}
    plan, ranked = self.finished(lost, **changes)
    self.assertTrue(ranking.all_failed(ranked))
    for figure in overview.figures(plan, ranked).values():
      FigureCanvasAgg(figure).draw()
      texts = [figure.get_suptitle()]
      texts += [
        text.get_text() for each in figure.legends for text in each.get_texts()
      ]
      for text in texts:
        self.assertNotRegex(text, r"\bbest\b|tie")
      markers = [x.get_marker() for each in figure.axes for x in each.lines]
      self.assertNotIn("*", markers)
    if changes == {"grid": RATES}:
      figure = scores_by_setting.line(plan, ranked, plan.axes[0])
      self.assertEqual([x.get_marker() for x in figure.axes[0].lines], ["x"])

  def assert_apart(self, figure):
    """Sees that no two labels of an axis overlap, and all are on the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
      ticks = [
        [
          tick.label1
          for tick in axis.get_major_ticks()
          if low <= tick.get_loc() <= high
        ]
        for axis in (axes.xaxis, axes.yaxis)
        for low, high in [sorted(axis.get_view_interval())]
      ]
      for texts in (*ticks, axes.texts):
        boxes = [
          each.get_window_extent()
          for each in texts
          if each.get_text() and each.get_visible()
        ]
        for index, each in enumerate(boxes):
          self.assertGreaterEqual(each.x0, -1)
          self.assertLessEqual(each.x1, figure.bbox.width + 1)
          for other in boxes[:index]:
            self.assertFalse(
              each.x0 < other.x1
              and other.x0 < each.x1
              and each.y0 < other.y1
              and other.y0 < each.y1,
              (each, other),
            )


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters(
    ([1, 10, 100], True),
    ([1e-4, 3e-4, 1e-3, 3e-3, 0.01], True),
    ([1, 11], True),
    ([1, 9], False),
    (range(1, 21), False),
    ([0, 1, 100], False),
    ([-1, 1, 100], False),
    ([5], False),
  )
  def test_logarithmic_axes(self, values, expected):
    self.assertEqual(scores_by_setting.is_logarithmic(values), expected)

  @parameterized.parameters(
    (0.5, 0.5), (3, 3.0), ((2.0,), 2.0), ((1.0, 2.0), None), (True, None)
  )
  def test_numbers(self, value, expected):
    self.assertEqual(scores_by_setting.as_number(value), expected)


if __name__ == "__main__":
  absltest.main()
