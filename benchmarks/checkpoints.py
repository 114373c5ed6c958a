"""What checkpoints cost a training: `python -m benchmarks.checkpoints`.

A ring and a DCGAN on images of noise train in turns, with checkpoints and
without any, in one process. The time is that from the first row of metrics to
the last checkpoint being written. What it costs to have one each 500 steps is
that of more frequent ones, in proportion, where 500 steps take a minute.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from experiments import checkpoints, driver, environment
from experiments.pace import Pace
from experiments.registry import BY_NAME
from experiments.run_settings import RunSettings
from gan_jax import training
from gan_jax.types import Device

EVERY = 500
NUM_TURNS = 5
NUM_IMAGES = 100


class Case(NamedTuple):
  """What is trained.

  Attributes:
    title: what to call it.
    experiment: its name.
    num_seeds: members.
    steps: of a turn.
    every: steps between checkpoints.
    values: settings that are not the experiment's own.
  """

  title: str
  experiment: str
  num_seeds: int
  steps: int
  every: int
  values: dict[str, object]


CASES = (
  Case("ring, 1 seed", "ring", 1, 8000, EVERY, {}),
  Case("ring, 8 seeds", "ring", 8, 4000, EVERY, {}),
  Case("DCGAN-28", "dcgan_mnist", 1, 100, 20, {"evaluation_samples": 64}),
)


def _write_noise(folder: Path) -> None:
  """Writes images, too few to be measured."""
  rng = np.random.default_rng(0)
  for index in range(NUM_IMAGES):
    pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{index}.png")


def seconds(
  run: RunSettings,
  problem: training.Problem,
  every: int,
  devices: Sequence[Device],
) -> float:
  """Trains once, and returns the seconds since the first row of metrics.

  Args:
    run: what to train.
    problem: that it makes.
    every: steps between checkpoints; 0 for none.
    devices: where.
  """
  began = []
  with tempfile.TemporaryDirectory() as folder:
    pace = Pace(
      run.settings.steps,
      run.settings.log_interval(),
      run.settings.evaluation_interval(),
      every or run.settings.steps + 1,
    )
    with checkpoints.Writer(Path(folder), checkpoints.Keeping(), {}) as writer:
      driver.train(
        problem,
        run.seeds,
        pace,
        devices,
        driver.Listener(
          on_log=lambda log: began.append(time.perf_counter()),
          on_checkpoint=lambda own: writer.save(own, 0, 0.0) if every else None,
        ),
      )
    return time.perf_counter() - began[0]


def main() -> None:
  """Prints the cost of checkpoints, a line for each case."""
  devices = environment.choose_devices("cpu", 8)
  with tempfile.TemporaryDirectory() as images:
    _write_noise(Path(images))
    for case in CASES:
      experiment = BY_NAME[case.experiment]
      values = {"steps": case.steps, **case.values}
      if case.experiment.startswith("dcgan"):
        values |= {"dataset": "folder", "data_dir": images}
      settings = experiment.settings.replace(**values)
      run = RunSettings(experiment, settings, tuple(range(case.num_seeds)))
      problem = experiment.build(settings)
      own = devices[: case.num_seeds]
      taken = {every: [] for every in (0, case.every)}
      for turn in range(NUM_TURNS + 1):
        for every, times in taken.items():
          elapsed = seconds(run, problem, every, own)
          # The first one compiles.
          if turn:
            times.append(elapsed)
      ratios = [b / a for a, b in zip(*taken.values(), strict=True)]
      costs = [100 * (ratio - 1) for ratio in sorted(ratios)]
      cost = statistics.median(costs)
      print(
        f"{case.title}, {case.steps:,} steps: "
        f"{statistics.median(taken[0]):.2f} s without checkpoints, one each "
        f"{case.every} steps {cost:+.1f} % "
        f"({', '.join(f'{own:+.1f}' for own in costs)}); each {EVERY} steps "
        f"{cost * case.every / EVERY:+.2f} %",
        flush=True,
      )


if __name__ == "__main__":
  main()
