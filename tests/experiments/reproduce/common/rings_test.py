"""Modes of samples on a ring, compared with values by hand."""

import math

import numpy as np
from absl.testing import absltest
from matplotlib.figure import Figure

from experiments.reproduce.common import rings
from experiments.run_folder.results import Results

MODES = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
STEPS = np.array([0, 5, 10])


def near(*modes):
  """Returns a frame of samples, each close to a mode."""
  return MODES[list(modes)] + np.array([0.1, -0.2])


def results(reverse_kl, samples):
  """Returns the results of a training with three logged steps.

  Args:
    reverse_kl: [num_seeds, 3].
    samples: [seeds, frames, n, 2].
  """
  reverse_kl = np.asarray(reverse_kl)
  return Results(
    experiment="ring",
    settings={
      "num_modes": len(MODES),
      "steps": 10,
      "generator_learning_rate": 0.1,
      "batch_size": 3,
    },
    seeds=np.arange(len(reverse_kl)),
    steps=STEPS,
    metrics={
      "reverse_kl": reverse_kl,
      "modes_covered": np.ones_like(reverse_kl),
    },
    snapshots={
      "step": STEPS,
      "samples": np.asarray(samples),
      "modes": MODES,
    },
  )


class RingsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.results = results(
      # Of 4 modes with the shares (1/4, ...), (1/2, 1/2, 0, 0), (1, 0, 0, 0):
      # sum_k q_k log(4 q_k) is 0, log 2 and log 4.
      [[0.0, math.log(2), math.log(4)]] * 2,
      [
        # Most samples are nearest to the modes 0, 2 and 0, some to others.
        [near(0, 0, 1), near(2, 2, 3), near(0, 0, 0)],
        [near(3, 3, 1), near(2, 3, 3), near(3, 3, 0)],
      ],
    )

  def test_spread(self):
    spread = rings.spread(self.results)
    np.testing.assert_allclose(spread, [[4, 2, 1]] * 2, rtol=1e-12)

  def test_visited(self):
    np.testing.assert_array_equal(rings.num_visited(self.results), [2, 1])

  def test_at_end(self):
    # The last tenth of 10 steps holds the last logged step only.
    values = np.array([[9.0, 9.0, 3.0], [9.0, 9.0, math.nan]])
    measured = rings.mean_at_end(self.results, values)
    np.testing.assert_equal(measured, [3.0, math.nan])

  def test_draw(self):
    runs = {
      "one": results([[0.0] * 3] * 2, [[near(0, 1)] * rings.NUM_FRAMES] * 2),
      "other": results([[1.0] * 3] * 2, [[near(2, 3)] * rings.NUM_FRAMES] * 2),
    }
    for run in runs.values():
      run.snapshots["step"] = np.arange(rings.NUM_FRAMES)
    figure = rings.draw_rows("title", "longer", runs, height=5)
    self.assertIsInstance(figure, Figure)
    self.assertLen(figure.axes, 2 * (rings.NUM_FRAMES + 1))
    *snapshots, over_steps = figure.axes[rings.NUM_FRAMES + 1 :]
    samples, modes = snapshots[0].lines
    np.testing.assert_array_equal(samples.get_xydata(), near(2, 3))
    np.testing.assert_array_equal(modes.get_xydata(), MODES)
    # Both seeds are equal: 4 exp(-1) modes at all steps.
    spread = over_steps.lines[0]
    values = np.asarray(spread.get_ydata(), float)
    np.testing.assert_allclose(values, 4 / math.e, rtol=1e-12)


if __name__ == "__main__":
  absltest.main()
