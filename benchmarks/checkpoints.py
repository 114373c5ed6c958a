"""Measures what checkpoints cost: `python -m benchmarks.checkpoints`.

A ring and a DCGAN on images of noise train in turns with checkpoints and
without any, in one process; the order alternates. The time of a turn runs from
the first row of metrics until the last checkpoint is written. The difference,
divided by the number of checkpoints, is the time that one checkpoint costs the
training, and divided by 60 seconds the share that one a minute costs.
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

NUM_IMAGES = 100


class Case(NamedTuple):
  """A training to measure: `steps` per turn, a checkpoint every `every`."""

  title: str
  experiment: str
  num_seeds: int
  steps: int
  every: int
  num_turns: int
  values: dict[str, object]


CASES = (
  Case("ring, 1 seed", "ring", 1, 8000, 500, 24, {}),
  Case("ring, 8 seeds", "ring", 8, 4000, 500, 12, {}),
  Case("DCGAN-28", "dcgan_mnist", 1, 100, 20, 6, {"evaluation_samples": 64}),
)


def _write_noise(folder: Path) -> None:
  """Writes images, too few for metrics that need a classifier."""
  rng = np.random.default_rng(0)
  for index in range(NUM_IMAGES):
    pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{index}.png")


class Turn(NamedTuple):
  """What was measured in one turn.

  Attributes:
    seconds: time of the training.
    saving: seconds that each checkpoint took to be written, alone.
  """

  seconds: float
  saving: float


class Timer(training.Callback):
  """Saves checkpoints, if there is a writer, and times the training."""

  def __init__(self, writer: checkpoints.Writer | None):
    self.began = 0.0
    self.newest: training.Checkpoint | None = None
    self._writer = writer

  def on_log(self, log: training.Log) -> None:
    self.began = self.began or time.perf_counter()

  def on_checkpoint(self, checkpoint: training.Checkpoint) -> None:
    self.newest = checkpoint
    if self._writer:
      self._writer.save(checkpoint, 0, 0.0)


def measure_turn(
  run: RunSettings,
  problem: training.Problem,
  every: int,
  devices: Sequence[Device],
) -> Turn:
  """Trains once with a checkpoint every so many steps; 0 for none."""
  schedule = training.Schedule(
    run.settings.steps,
    run.settings.log_interval(),
    run.settings.evaluation_interval(),
    every or run.settings.steps + 1,
  )
  with (
    tempfile.TemporaryDirectory() as folder,
    checkpoints.Writer(Path(folder), checkpoints.Keeping(), {}) as writer,
  ):
    timer = Timer(writer if every else None)
    training.train(problem, run.seeds, schedule, devices, [timer])
    writer.wait()
    seconds = time.perf_counter() - timer.began
    # Once more, while nothing trains.
    assert timer.newest is not None
    started = time.perf_counter()
    writer.save(timer.newest._replace(step=run.settings.steps + 1), 0, 0.0)
    writer.wait()
    return Turn(seconds, time.perf_counter() - started)


def measure(
  case: Case, values: dict[str, object], devices: Sequence[Device]
) -> str:
  """Measures a case and describes the result in one line."""
  experiment = BY_NAME[case.experiment]
  settings = experiment.settings.replace(
    steps=case.steps, **case.values, **values
  )
  run = RunSettings(experiment, settings, tuple(range(case.num_seeds)))
  problem = experiment.build(settings)
  devices = devices[: case.num_seeds]
  costs, without, saving = [], [], []
  for turn in range(case.num_turns + 1):
    order = [0, case.every] if turn % 2 else [case.every, 0]
    turns = {
      every: measure_turn(run, problem, every, devices) for every in order
    }
    # The first turn compiles.
    if turn:
      lost = turns[case.every].seconds - turns[0].seconds
      costs.append(lost / (case.steps // case.every))
      without.append(turns[0].seconds)
      saving.append(turns[case.every].saving)
  low, cost, high = statistics.quantiles(costs)
  return (
    f"{case.title}, {case.num_turns} turns of {case.steps:,} steps in "
    f"{statistics.median(without):.2f} s: a checkpoint takes "
    f"{1e3 * statistics.median(saving):.0f} ms alone and costs the training "
    f"{1e3 * cost:.0f} ms (quartiles {1e3 * low:.0f} and {1e3 * high:.0f}), "
    f"one a minute {100 * cost / 60:.2f} %"
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
      values: dict[str, object] = {}
      if case.experiment.startswith("dcgan"):
        values = {"dataset": "folder", "data_dir": images}
      if case.title in options.cases:
        print(measure(case, values, devices), flush=True)


if __name__ == "__main__":
  main()
