"""What checkpoints cost a training: `python -m benchmarks.checkpoints`.

A ring and a DCGAN on images of noise train in turns, with checkpoints and
without any, in one process. The time is that from the first row of metrics to
the last checkpoint being written; each turn, the other of the two comes first.
What it costs to have one each 500 steps is that of more frequent ones, in
proportion, where 500 steps take a minute.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from experiments.configs.registry import BY_NAME
from experiments.devices import environment
from experiments.training import checkpoints
from experiments.training.run_config import RunSettings
from gan_jax import training
from gan_jax.types import Device

EVERY = 500
NUM_IMAGES = 100


class Case(NamedTuple):
  """What is trained.

  Attributes:
    title: what to call it.
    experiment: its name.
    num_seeds: members.
    steps: of a turn.
    every: steps between checkpoints.
    num_turns: with and without checkpoints.
    values: settings that are not the experiment's own.
  """

  title: str
  experiment: str
  num_seeds: int
  steps: int
  every: int
  num_turns: int
  values: dict[str, object]


CASES = (
  Case("ring, 1 seed", "ring", 1, 8000, EVERY, 24, {}),
  Case("ring, 8 seeds", "ring", 8, 4000, EVERY, 12, {}),
  Case("DCGAN-28", "dcgan_mnist", 1, 100, 20, 6, {"evaluation_samples": 64}),
)


def _write_noise(folder: Path) -> None:
  """Writes images, too few to be measured."""
  rng = np.random.default_rng(0)
  for index in range(NUM_IMAGES):
    pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{index}.png")


class _Timer(training.Callback):
  """Notes when the first row of metrics comes, and saves checkpoints."""

  def __init__(self, writer: checkpoints.Writer | None):
    self.began = 0.0
    self._writer = writer

  def on_log(self, log: training.Log) -> None:
    self.began = self.began or time.perf_counter()

  def on_checkpoint(self, checkpoint: training.Checkpoint) -> None:
    if self._writer:
      self._writer.save(checkpoint, 0, 0.0)


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
  with tempfile.TemporaryDirectory() as folder:
    schedule = training.Schedule(
      run.settings.steps,
      run.settings.log_interval(),
      run.settings.evaluation_interval(),
      every or run.settings.steps + 1,
    )
    with checkpoints.Writer(Path(folder), checkpoints.Keeping(), {}) as writer:
      timer = _Timer(writer if every else None)
      training.train(problem, run.seeds, schedule, devices, [timer])
    return time.perf_counter() - timer.began


def measure(
  case: Case, values: dict[str, object], devices: Sequence[Device]
) -> str:
  """Returns what checkpoints cost a case, in a line.

  Args:
    case: what to train.
    values: settings that are not the experiment's own.
    devices: where.
  """
  experiment = BY_NAME[case.experiment]
  settings = experiment.settings.replace(
    steps=case.steps, **case.values, **values
  )
  run = RunSettings(experiment, settings, tuple(range(case.num_seeds)))
  problem = experiment.build(settings)
  devices = devices[: case.num_seeds]
  without, with_some = 0, case.every
  ratios, times = [], []
  for turn in range(case.num_turns + 1):
    order = [without, with_some] if turn % 2 else [with_some, without]
    taken = {every: seconds(run, problem, every, devices) for every in order}
    # The first turn compiles.
    if turn:
      ratios.append(taken[with_some] / taken[without])
      times.append(taken[without])
  low, cost, high = (
    100 * (ratio - 1) for ratio in statistics.quantiles(ratios)
  )
  return (
    f"{case.title}, {case.num_turns} turns of {case.steps:,} steps: "
    f"{statistics.median(times):.2f} s without checkpoints, one each "
    f"{case.every} steps {cost:+.1f} % (quartiles {low:+.1f} and "
    f"{high:+.1f}); each {EVERY} steps {cost * case.every / EVERY:+.2f} %"
  )


def main() -> None:
  """Prints the cost of checkpoints, a line for each case."""
  parser = argparse.ArgumentParser(description=__doc__)
  titles = [case.title for case in CASES]
  parser.add_argument("--cases", nargs="+", choices=titles, default=titles)
  options = parser.parse_args()
  devices = environment.choose_devices("cpu", 8)
  with tempfile.TemporaryDirectory() as images:
    _write_noise(Path(images))
    for case in CASES:
      values = {}
      if case.experiment.startswith("dcgan"):
        values |= {"dataset": "folder", "data_dir": images}
      if case.title in options.cases:
        print(measure(case, values, devices), flush=True)


if __name__ == "__main__":
  main()
