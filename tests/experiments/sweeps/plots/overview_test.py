"""Figures of a sweep: which there are, and what they show."""

import tempfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.sweeps import labels as words
from experiments.sweeps import ranking
from experiments.sweeps.plots import (
  heat_map,
  learning_curves,
  numeric,
  overview,
  ranked,
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
  def finished(self, failures=None, scores=score, **told):
    """Returns a plan, and the places of its trials."""
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    plan = finished_sweeps.plan(**told)
    num_seeds = len(plan.base.seeds)
    finished_sweeps.finish(
      plan, folder, lambda values: scores(values)[:num_seeds], failures
    )
    return plan, ranking.ranked(ranking.read(plan, folder))

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
  def test_the_shape_of_the_grid_chooses(self, told, names):
    plan, places = self.finished(**told)
    figures = overview.figures(plan, places)
    self.assertEqual(
      sorted(figures),
      sorted(f"{own}.png" for own in [*names, "learning_curves"]),
    )

  def test_a_heat_map(self):
    plan, places = self.finished(grid=f"{RATES};{BETAS}")
    up, across = plan.axes
    figure = heat_map.heat_maps(plan, places, across, up)
    axes = figure.axes[0]
    # Values are in order, and labels are theirs.
    self.assertEqual(
      [own.get_text() for own in axes.get_xticklabels()], ["0", "0.5", "0.9"]
    )
    self.assertEqual(
      [own.get_text() for own in axes.get_yticklabels()],
      ["0.0001", "0.01", "1"],
    )
    texts = {own.get_position(): own.get_text() for own in axes.texts}
    self.assertLen(texts, 9)
    # 0.5 - 0.3 + 0, and t(0.975, 2) 0.01 / sqrt(3) = 0.0248.
    self.assertEqual(texts[0, 2], "0.200\n± 0.025")
    self.assertEqual(texts[2, 0], "0.860\n± 0.025")
    frames = {
      tuple(np.round(own.get_center())): own.get_linewidth()
      for own in axes.patches
      if isinstance(own, Rectangle)
    }
    # Rates 1e-4 and 0.01 differ by 0.003 of 0.5, less than the seeds tell.
    self.assertEqual(set(frames), {(2, 0), (2, 1)})
    self.assertGreater(frames[2, 0], frames[2, 1])
    self.assertEqual(axes.get_xlabel(), "discriminator beta1")
    self.assert_apart(figure)

  def test_maps_side_by_side(self):
    plan, places = self.finished(
      grid=f"{RATES};{LOSSES};{BETAS}", skips_invalid=True, num_seeds=1
    )
    up, by, across = plan.axes
    # A point that no trial has.
    places = [
      own
      for own in places
      if own.trial.values["loss"] == "hinge" or own.trial.values[up.name] < 1
    ]
    figure = heat_map.heat_maps(plan, places, across, up, by)
    hinge, minimax, _ = figure.axes
    self.assertEqual(hinge.get_title(loc="left"), "loss hinge")
    self.assertLen(hinge.texts, 9)
    self.assertLen(minimax.texts, 6)
    self.assertNotIn("±", hinge.texts[0].get_text())
    self.assertIn(words.ONE_SEED, figure.get_suptitle())
    self.assert_apart(figure)

  def test_a_failed_trial_does_not_take_all_colours(self):
    values = ",".join(f"{own / 100}" for own in range(1, 9))
    name = "generator_learning_rate=0.01,discriminator_beta1=0.5"
    plan, places = self.finished(
      grid=f"generator_learning_rate={values};{BETAS}",
      failures={name: {5: 0, 6: 0, 7: 0}},
    )
    up, across = plan.axes
    figure = heat_map.heat_maps(plan, places, across, up)
    mesh = figure.axes[0].collections[0]
    # 0 is below the scale, and so is what is far from the others.
    self.assertLess(np.asarray(mesh.norm(np.array([0.1])))[0], 0)
    self.assertEqual(np.ma.min(np.ma.asarray(mesh.get_array())), 0)

  def test_a_line(self):
    plan, places = self.finished(grid=RATES)
    figure = numeric.line(plan, places, plan.axes[0])
    (axes,) = figure.axes
    self.assertEqual(axes.get_xscale(), "log")
    mean, seeds, best = axes.lines
    np.testing.assert_allclose(points(mean)[:, 0], [1e-4, 0.01, 1])
    np.testing.assert_allclose(points(mean)[:, 1], [0.49997, 0.497, 0.2])
    self.assertLen(points(seeds)[:, 0], 9)
    np.testing.assert_allclose(points(best), [[1e-4, 0.49997]])
    self.assertLen(axes.collections, 1)
    FigureCanvasAgg(figure).draw()
    self.assertEqual(
      [own.get_text() for own in axes.get_xticklabels()],
      ["0.0001", "0.01", "1"],
    )
    self.assert_apart(figure)

  def test_bars(self):
    values = ",".join(f"{own}" for own in range(1, 41))
    plan, places = self.finished(
      grid=f"batch_size={values};{LOSSES}",
      scores=lambda own: (
        0.9 - 0.01 * own["batch_size"] + np.array([0, 0, 1e-3])
      ),
      failures={"batch_size=1,loss=hinge": {5: 50}},
    )
    figure = ranked.bars(plan, places)
    (axes,) = figure.axes
    labels = [own.get_text() for own in axes.get_yticklabels()]
    self.assertLen(labels, ranked.MAX_BARS)
    self.assertEqual(labels[:2], ["1 · minimax", "2 · hinge"])
    self.assertIn("labels: batch size · loss", figure.get_suptitle())
    bars = [own for own in axes.patches if isinstance(own, Rectangle)]
    np.testing.assert_allclose(
      [own.get_width() for own in bars],
      [own.score["mean"] for own in places[:30]],
    )
    colors = [own.get_facecolor() for own in bars]
    self.assertNotEqual(colors[0], colors[1])
    self.assert_apart(figure)

  def test_what_was_drawn(self):
    plan, places = self.finished(
      random="generator_learning_rate=log:1e-4:1;discriminator_beta1="
      "uniform:0:0.9;loss=hinge,minimax",
      draws=20,
    )
    figure = numeric.drawn(plan, places, plan.drawn)
    rates, betas, losses = figure.axes
    self.assertEqual(
      [own.get_xscale() for own in figure.axes], ["log", "linear", "linear"]
    )
    best = places[0].trial.values
    for axes, name in ((rates, plan.drawn[0]), (betas, plan.drawn[1])):
      (star,) = (own for own in axes.lines if own.get_marker() == "*")
      np.testing.assert_allclose(
        points(star), [[best[name], places[0].score["mean"]]]
      )
    self.assertEqual(
      [own.get_text() for own in losses.get_xticklabels()], ["hinge", "minimax"]
    )
    self.assert_apart(figure)

  def test_learning_curves(self):
    failures = {"batch_size=3": {6: 50}}
    plan, places = self.finished(
      grid="batch_size=1,2,3",
      scores=lambda own: np.array([0.2, 0.4, 0.6]) + 0.1 * own["batch_size"],
      failures=failures,
    )
    # The third has lost 0.7 of 2.1, and is last; the second is the best.
    self.assertEqual(
      [own.trial.values["batch_size"] for own in places], [2, 1, 3]
    )
    figure = learning_curves.curves(plan, places)
    (axes,) = figure.axes
    best, median = axes.lines
    np.testing.assert_allclose(points(best)[:, 1], [0.3, 0.54, 0.6], atol=1e-6)
    np.testing.assert_allclose(
      points(median)[:, 1], [0.25, 0.45, 0.5], atol=1e-6
    )
    self.assertEqual(best.get_label(), "best: batch_size=2")
    # From where a seed failed its score is 0.
    figure = learning_curves.curves(plan, places[2:])
    np.testing.assert_allclose(
      points(figure.axes[0].lines[0])[:, 1],
      [0.35, 0.9 * 1.4 / 3, 1.4 / 3],
      atol=1e-6,
    )
    (places[0].measured.workdir / results.METRICS).unlink()
    with self.assertRaisesRegex(RunFolderError, "batch_size=2"):
      learning_curves.curves(plan, places)

  @parameterized.parameters(
    {"grid": RATES},
    {"grid": f"{RATES};{BETAS}"},
    {"grid": LOSSES},
    {"random": "batch_size=uniform:2:9", "draws": 4},
  )
  def test_everything_has_failed(self, **told):
    plan = finished_sweeps.plan(**told)
    lost = {own.name: {5: 0, 6: 0, 7: 0} for own in plan.trials}
    plan, places = self.finished(lost, **told)
    self.assertTrue(ranking.all_failed(places))
    for draw in overview.figures(plan, places).values():
      FigureCanvasAgg(draw()).draw()

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
      for labels in (*ticks, axes.texts):
        boxes = [
          own.get_window_extent()
          for own in labels
          if own.get_text() and own.get_visible()
        ]
        for index, own in enumerate(boxes):
          self.assertGreaterEqual(own.x0, -1)
          self.assertLessEqual(own.x1, figure.bbox.width + 1)
          for other in boxes[:index]:
            self.assertFalse(
              own.x0 < other.x1
              and other.x0 < own.x1
              and own.y0 < other.y1
              and other.y0 < own.y1,
              (own, other),
            )


class WordsTest(parameterized.TestCase):
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
    self.assertEqual(words.is_logarithmic(values), expected)

  @parameterized.parameters(
    (0.5, 0.5), (3, 3.0), ((2.0,), 2.0), ((1.0, 2.0), None), (True, None)
  )
  def test_numbers(self, value, expected):
    self.assertEqual(words.number(value), expected)


if __name__ == "__main__":
  absltest.main()
