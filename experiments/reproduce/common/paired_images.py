"""Runs that make images of images, as figures compare and draw them."""

from collections.abc import Mapping

import numpy as np

from experiments.run_folder.results import Results

SMALL = {
  "generator_filters": 16,
  "discriminator_filters": 16,
  "batch_size": 16,
}
"""Networks and batches of a few seconds per hundred steps on two cores."""
NUM_SEEDS = 3


def final(results: Results, name: str) -> np.ndarray:
  """Returns the last value of a metric for each seed, [num_seeds]."""
  return results.sampled(name)[:, -1]


def panels(
  runs: Mapping[str, Results], condition: str, metric: str, text: str
) -> dict[str, np.ndarray]:
  """Returns images by title: conditions, the runs' of one seed, originals.

  Args:
    runs: runs with the same data, by what they are called.
    condition: the title of the conditions.
    metric: the metric whose mean over seeds is below each run's title.
    text: the format of this line.
  """
  snapshots = next(iter(runs.values())).snapshots
  return {
    condition: snapshots["conditions"],
    **{
      f"{title}\n{text.format(final(run, metric).mean())}": run.snapshots[
        "samples"
      ][0, -1]
      for title, run in runs.items()
    },
    "original": snapshots["data_samples"],
  }
