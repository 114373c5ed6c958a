"""Trains run folders for tests, on one device of this process."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax

from experiments.configs.registry import BY_NAME
from experiments.devices import environment
from experiments.reports import run_report
from experiments.run_folder import results, workdirs
from experiments.training import checkpoints, trainer
from experiments.training.run_config import RunSettings
from gan_jax.training import loop


def settings_of(name: str, seeds: Any, **values: Any) -> RunSettings:
  """Returns an experiment with some of its settings changed."""
  experiment = BY_NAME[name]
  return RunSettings(
    experiment, experiment.settings.replace(**values), tuple(seeds)
  )


def train(parent: Path, run: RunSettings) -> tuple[Path, trainer.FinishedRun]:
  """Trains into the next free folder of a parent.

  Args:
    parent: of run folders.
    run: what to train.

  Returns:
    The run folder, and the run.
  """
  devices = jax.devices()[:1]
  problem = trainer.build_problem(run, devices)
  with workdirs.create_numbered(parent, run.experiment.name) as workdir:
    finished = trainer.train([run], [workdir], lambda _: problem, devices)
    assert finished is not None
    run_report.write([workdir], workdir / results.REPORT)
  return workdir, finished[0]


def train_until(
  workdir: Path, run: RunSettings, step: int, devices: int = 1, keep: int = 9
) -> None:
  """Trains until a step, as if interrupted there.

  Args:
    workdir: the run folder to create.
    run: what to train.
    step: stops at the first checkpoint from this step on; there is one of every
      second step.
    devices: number of devices.
    keep: number of checkpoints to keep.
  """
  chosen = jax.devices()[:devices]
  problem = trainer.build_problem(run, chosen)
  taken = []
  with (
    workdirs.create(workdir, overwrite=False),
    mock.patch.object(
      trainer.console.TrainingProgress,
      "advance",
      lambda _, s, rate: taken.append(s),
    ),
  ):
    trained = trainer.train(
      [run],
      [workdir],
      lambda _: problem,
      chosen,
      trainer.Options(2, checkpoints.Keeping(keep)),
      should_stop=lambda: bool(taken) and taken[-1] >= step,
    )
  assert trained is None


def forget_metrics(workdir: Path, *names: str) -> None:
  """Removes metrics from a run folder, as a run without them writes it."""
  path = workdir / results.METRICS
  rows = [
    {name: value for name, value in row.items() if name not in names}
    for row in results.read_rows(path).rows
  ]
  text = "".join(f"{json.dumps(row)}\n" for row in rows)
  path.write_text(text)
  if results.is_finished(workdir):
    summary = results.read_json(workdir / results.SUMMARY)
    summary["metrics_sha256"] = results.checksum(text)
    for name in names:
      del summary["metrics"][name]
    results.write_json(workdir / results.SUMMARY, summary)


def measured_rows(workdir: Path) -> list[dict[str, Any]]:
  """Reads the rows of metrics of a run without the time that they took."""
  rows = results.read_rows(workdir / results.METRICS).rows
  for row in rows:
    del row[results.WALL_SECONDS]
  return rows


WRITE_FIGURES = results.write_figures
"""For a test that wants them where others do not."""


def on_one_device() -> contextlib.AbstractContextManager:
  """Has commands train on a device of this process, which has set up JAX."""
  return mock.patch.object(
    environment, "choose_devices", lambda *_: jax.devices()[:1]
  )


def undrawn() -> contextlib.AbstractContextManager:
  """Keeps runs from drawing their figures, half of what a short one takes."""
  return mock.patch.object(results, "write_figures")


@contextlib.contextmanager
def traced_once() -> Iterator[None]:
  """Lets runs with equal settings share their programs, to trace them once."""
  prepare, population = trainer.build_problem, loop.population
  # Problems are told apart by their identity, so they must be kept.
  problems, populations = {}, {}

  def prepare_once(run, devices, *axis):
    key = (
      *(run.experiment.name, run.settings, len(run.seeds)),
      *(tuple(devices), axis),
    )
    if key not in problems:
      problems[key] = prepare(run, devices, *axis)
    return problems[key]

  def population_once(problem, num_members, devices, num_drawn, axis):
    key = id(problem), num_members, tuple(devices), num_drawn, axis
    if key not in populations:
      populations[key] = population(
        problem, num_members, devices, num_drawn, axis
      )
    return populations[key]

  with (
    mock.patch.object(trainer, "build_problem", prepare_once),
    mock.patch.object(loop, "population", population_once),
  ):
    yield
