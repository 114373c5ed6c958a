"""Trains run folders for tests, on one device of this process."""

from pathlib import Path
from typing import Any

import jax

from experiments import runner, workdirs
from experiments.registry import BY_NAME
from experiments.run_settings import RunSettings


def settings_of(name: str, seeds: Any, **values: Any) -> RunSettings:
  """Returns an experiment with some of its settings changed."""
  experiment = BY_NAME[name]
  return RunSettings(
    experiment, experiment.settings.replace(**values), tuple(seeds)
  )


def train(parent: Path, run: RunSettings) -> tuple[Path, runner.Run]:
  """Trains into the next free folder of a parent.

  Args:
    parent: of run folders.
    run: what to train.

  Returns:
    The run folder, and the run.
  """
  devices = jax.devices()[:1]
  problem = runner.prepare(run, devices)
  with workdirs.create_numbered(parent, run.experiment.name) as workdir:
    trained = runner.train(run, problem, devices, workdir)
  assert trained is not None
  return workdir, trained
