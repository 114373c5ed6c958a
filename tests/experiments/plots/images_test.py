"""Pictures of runs on images."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.plots import images
from tests.experiments.drawn_runs import make_results


def make_run(failed):
  """Makes a run whose seeds 4, 5 and 6 draw images of their own colour."""
  shape = (3, 3)
  run = make_results(
    "dcgan_mnist",
    {},
    [4, 5, 6],
    np.arange(3),
    {"generator_cost": np.ones(shape)},
    {},
    {},
    failed,
  )
  samples = np.zeros((3, 2, 4, 2, 2, 1), np.uint8)
  samples += np.array([10, 20, 30], np.uint8).reshape(3, 1, 1, 1, 1, 1)
  run.snapshots.update(
    data_samples=np.zeros((4, 2, 2, 1), np.uint8),
    samples=samples,
    columns=np.array(2),
  )
  return run


class ShownSeedTest(parameterized.TestCase):
  @parameterized.parameters(
    ((), "seed 4", 10),
    (((0, 1),), "seed 5", 20),
    (((0, 1), (1, 2)), "seed 6", 30),
    (((0, 1), (1, 2), (2, 2)), "seed 4, which failed", 10),
  )
  def test_it_has_not_failed_if_one_has_not(self, failed, name, color):
    run = make_run(failed)
    for draw in (images.samples_over_time, images.real_beside_generated):
      axes = draw(run).axes
      shown = np.asarray(axes[-1].images[0].get_array())
      self.assertEqual(shown[0, 0, 0], color)
      titles = [each.get_title() for each in axes]
      self.assertIn(name, " ".join([*titles, draw(run).get_suptitle()]))


class ColumnsTest(parameterized.TestCase):
  @parameterized.parameters((1, 8), (2, 8), (3, 6), (5, 5), (8, 8), (10, 10))
  def test_a_column_has_one_class(self, num_classes, columns):
    self.assertEqual(images.class_columns(num_classes), columns)
    labels = (np.arange(4 * columns) % num_classes).reshape(4, columns)
    np.testing.assert_array_equal(
      labels, np.broadcast_to(labels[0], (4, columns))
    )


if __name__ == "__main__":
  absltest.main()
