"""Modes of samples on a ring, compared with values by hand."""

import math

import numpy as np
from absl.testing import absltest, parameterized
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
    settings={"num_modes": len(MODES)},
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


class RingsTest(parameterized.TestCase):
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

  @parameterized.parameters(
    # The last tenth of 10 steps holds the last logged step only.
    ([[9.0, 9.0, 3.0], [9.0, 9.0, 5.0]], 4.0),
    ([[9.0, 9.0, 3.0], [9.0, 9.0, math.nan]], math.nan),
  )
  def test_at_end(self, values, expected):
    measured = rings.mean_at_end(self.results, np.array(values))
    np.testing.assert_equal(measured, expected)

  def test_row(self):
    row = rings.make_row(self.results)
    np.testing.assert_array_equal(row.frames, STEPS)
    np.testing.assert_array_equal(row.samples[1], near(2, 2, 3))
    # Both seeds are equal, so the interval has width 0.
    mean, half = row.curves["modes that samples are spread over"]
    np.testing.assert_allclose(mean, [4, 2, 1], rtol=1e-12)
    np.testing.assert_allclose(half, 0, atol=1e-12)

  def test_draw(self):
    frames = [[near(0, 1, 2)] * rings.NUM_FRAMES]
    row = rings.make_row(self.results)._replace(
      frames=np.arange(rings.NUM_FRAMES), samples=np.array(frames[0])
    )
    figure = rings.draw_rows(
      "title", {"one": row, "other": row}, MODES, height=5
    )
    self.assertIsInstance(figure, Figure)
    self.assertLen(figure.axes, 2 * (rings.NUM_FRAMES + 1))


if __name__ == "__main__":
  absltest.main()
