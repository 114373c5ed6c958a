"""The checkpoints suite: measures what checkpoints cost.

A ring and a DCGAN on images of noise train in turns, once with checkpoints and
once without, in one process; the order alternates. A turn is timed from the
first row of metrics until the last checkpoint is written. The cost of one
checkpoint is the difference divided by the number of checkpoints. Divided by 60
seconds, it is the share of the time that one checkpoint per minute takes.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks import measurement, speed_tables
from experiments.cli import console
from experiments.configs.registry import BY_NAME
from experiments.devices import environment
from experiments.training import checkpoints
from experiments.training.run_config import RunSettings
from gan_jax import training
from gan_jax.types import Device

NUM_IMAGES = 100


class Case(NamedTuple):
  """A training to measure.

  Attributes:
    title: its name in the report.
    experiment: name of the experiment.
    num_seeds: seeds that train together.
    steps: steps of a turn.
    every: steps between checkpoints.
    num_turns: turns with checkpoints, and as many without.
    values: settings of the experiment.
  """

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
  """Writes images of noise, too few for metrics that need a classifier."""
  rng = np.random.default_rng(0)
  for index in range(NUM_IMAGES):
    pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{index}.png")


class Turn(NamedTuple):
  """The measurements of one turn.

  Attributes:
    train_seconds: time of the training.
    save_seconds: time to write one checkpoint while nothing trains.
  """

  train_seconds: float
  save_seconds: float


class Timer(training.Callback):
  """Saves checkpoints, if there is a writer, and times the training."""

  def __init__(self, writer: checkpoints.Writer | None):
    self.started = 0.0
    self.newest: training.Checkpoint | None = None
    self._writer = writer

  def on_log(self, log: training.Log) -> None:
    self.started = self.started or time.perf_counter()

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
  """Trains once, with a checkpoint every `every` steps; 0 for none."""
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
    seconds = time.perf_counter() - timer.started
    # Saves once more while nothing trains.
    assert timer.newest is not None
    started = time.perf_counter()
    writer.save(timer.newest._replace(step=run.settings.steps + 1), 0, 0.0)
    writer.wait()
    return Turn(seconds, time.perf_counter() - started)


def measure_case(
  case: Case, values: dict[str, object], devices: Sequence[Device]
) -> dict[str, Any]:
  """Measures a case and returns its row of the report."""
  experiment = BY_NAME[case.experiment]
  settings = experiment.settings.replace(
    steps=case.steps, **case.values, **values
  )
  run = RunSettings(experiment, settings, tuple(range(case.num_seeds)))
  problem = experiment.build(settings)
  devices = devices[: case.num_seeds]
  costs, without, save_seconds = [], [], []
  for turn in range(case.num_turns + 1):
    order = [0, case.every] if turn % 2 else [case.every, 0]
    turns = {
      every: measure_turn(run, problem, every, devices) for every in order
    }
    # The first turn compiles.
    if turn:
      lost = turns[case.every].train_seconds - turns[0].train_seconds
      costs.append(lost / (case.steps // case.every))
      without.append(turns[0].train_seconds)
      save_seconds.append(turns[case.every].save_seconds)
  return {
    "game": case.title,
    "turns": case.num_turns,
    "turn_seconds": statistics.median(without),
    "save_seconds": statistics.median(save_seconds),
    "cost_seconds": statistics.quantiles(costs),
  }


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite.

  Args:
    quick: whether to take only a few steps, to test the suite.

  Returns:
    `machine`, `versions`, `rows`. `cost_seconds` of a row are the quartiles of
    what one checkpoint costs the training.
  """
  load_average = os.getloadavg()
  devices = environment.choose_devices("cpu", 8)
  rows = []
  with tempfile.TemporaryDirectory() as images:
    _write_noise(Path(images))
    for case in CASES:
      console.say(f"timing {case.title}")
      values: dict[str, object] = {}
      if case.experiment.startswith("dcgan"):
        values = {"dataset": "folder", "data_dir": images}
      if quick:
        case = case._replace(steps=4, every=2, num_turns=2)
      rows.append(measure_case(case, values, devices))
  return {
    **measurement.describe_machine(devices, load_average),
    "rows": rows,
  }


def print_report(report: dict[str, Any]) -> None:
  """Prints the table of a report to the standard output."""
  print(speed_tables.write_checkpoints(report))
