"""Trains an experiment into a run folder, or finds the folder where it did."""

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments import checkpoints, console, driver, environment, results
from experiments.experiment import Experiment
from experiments.fields import SettingError
from experiments.results import Results
from experiments.settings import Settings
from gan_jax import training
from gan_jax.types import Device


class Run(NamedTuple):
  """A finished run: what it measured, and the content of its summary.json."""

  results: Results
  summary: dict[str, Any]


STATES_IN_MEMORY = 2
"""A step reads one state and writes another."""


def prepare(
  experiment: Experiment,
  settings: Settings,
  num_seeds: int,
  devices: Sequence[Device],
) -> training.Problem:
  """Builds an experiment's problem and sees that its states fit into memory.

  Args:
    experiment: what to build.
    settings: its settings.
    num_seeds: members to train side by side.
    devices: where; members are divided among them.

  Returns:
    The problem.

  Raises:
    SettingError: if the members' states do not fit.
  """
  problem = experiment.build(settings)
  state = jax.eval_shape(problem.init, jax.random.key(0))
  of_member = STATES_IN_MEMORY * sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(state)
  )
  on_cores = devices[0].platform == "cpu"
  members = num_seeds if on_cores else -(-num_seeds // len(devices))
  available = environment.memory(devices[0])
  if of_member * members > available:
    raise SettingError(
      f"{num_seeds} {'seed takes' if num_seeds == 1 else 'seeds take'} "
      f"{of_member * members / 2**30:,.1f} GiB of memory, and there "
      f"{'are' if on_cores else 'are, on each device,'} "
      f"{available / 2**30:,.1f}; give fewer seeds, smaller networks or a "
      "smaller --replay_size"
    )
  return problem


def train(
  experiment: Experiment,
  settings: Settings,
  problem: training.Problem,
  seeds: Sequence[int],
  devices: Sequence[Device],
  workdir: Path,
) -> Run:
  """Trains one member per seed and writes the run folder.

  Args:
    experiment: what to train.
    settings: its settings.
    problem: what `prepare` made of both.
    seeds: of the members.
    devices: where; members are divided among them.
    workdir: an empty run folder, as `results.create` makes it.

  Returns:
    The run.
  """
  machine = environment.describe(devices)
  results.write_json(
    workdir / results.SETTINGS,
    {
      "experiment": experiment.name,
      "settings": dataclasses.asdict(settings),
      "seeds": list(seeds),
      **machine,
    },
  )
  started = time.perf_counter()
  with console.progress(experiment.name, settings.steps) as progress:

    def on_log(log: driver.Log) -> None:
      results.append_metrics(workdir, log.step, seeds, log.metrics)
      progress.log(log)

    outcome = driver.train(
      problem,
      seeds,
      settings.steps,
      settings.log_interval(),
      settings.evaluation_interval(),
      devices,
      on_chunk=progress.advance,
      on_log=on_log,
    )
  run_results = Results(
    experiment.name,
    dataclasses.asdict(settings),
    np.asarray(seeds),
    outcome.steps,
    outcome.metrics,
    outcome.snapshots,
    workdir,
  )
  score = np.array(experiment.score(run_results))
  # A seed that failed has no metrics at its end, and no score: that is 0.
  failed = np.isin(seeds, [failure.seed for failure in outcome.failures])
  score[failed] = np.nan_to_num(score[failed], nan=0.0)
  summary = {
    "experiment": experiment.name,
    "settings": dataclasses.asdict(settings),
    "seeds": list(seeds),
    "steps": int(outcome.steps[-1]),
    "steps_per_second": outcome.steps_per_second,
    "wall_seconds": time.perf_counter() - started,
    "device": machine["device"],
    "versions": machine["versions"],
    **({"protocol": dict(problem.protocol)} if problem.protocol else {}),
    **results.final_and_best(outcome.metrics, score),
    "failures": [failure._asdict() for failure in outcome.failures],
  }
  np.savez_compressed(
    workdir / results.SNAPSHOTS, allow_pickle=False, **outcome.snapshots
  )
  checkpoints.save(workdir, int(outcome.steps[-1]), outcome.progress)
  results.write_json(workdir / results.SUMMARY, summary)
  results.write_figures(
    workdir,
    {name: draw(run_results) for name, draw in experiment.figures.items()},
  )
  return Run(run_results, summary)


def find(
  parent: Path, experiment: Experiment, settings: Settings, seeds: Sequence[int]
) -> tuple[Path, Results] | None:
  """Finds a finished run of an experiment, settings and seeds.

  A folder that cannot be read is passed over, and said.

  Args:
    parent: the folder whose run folders are searched.
    experiment: of the run.
    settings: which must be equal one by one.
    seeds: which must be the same in the same order.

  Returns:
    The newest such folder by name, and what is in it; None if there is none.
  """
  wanted = {
    "experiment": experiment.name,
    "settings": dataclasses.asdict(settings),
    "seeds": list(seeds),
  }
  # As JSON reads it back: tuples are lists there.
  wanted = json.loads(json.dumps(wanted))
  for summary in sorted(parent.glob(f"*/{results.SUMMARY}"), reverse=True):
    workdir = summary.parent
    try:
      found = results.read_json(workdir / results.SETTINGS)
      # The summary is written last, whole: without one the run is not finished.
      results.read_json(summary)
      if all(found.get(name) == value for name, value in wanted.items()):
        return workdir, results.read(workdir)
    except results.RunFolderError as error:
      console.say(f"passing over {error}")
  return None
