"""Trains an experiment into a run folder, or finds the folder where it did."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.cli import console
from experiments.configs.fields import SettingError
from experiments.devices import environment, multihost
from experiments.reports import run_report
from experiments.run_folder import results
from experiments.run_folder.results import Results
from experiments.training import resume, run_config, run_logs, trainer
from experiments.training.callbacks import (
  DEFAULT_RECORDING,
  Record,
  Recorder,
  Recording,
)
from experiments.training.pace import Pace
from experiments.training.run_config import RunSettings
from gan_jax import sharding, training
from gan_jax.types import Device


class Run(NamedTuple):
  """A finished run: what it measured, and the content of its summary.json."""

  results: Results
  summary: dict[str, Any]


STATES_IN_MEMORY = 2
"""A step reads one state and writes another."""


def prepare(
  run: RunSettings, devices: Sequence[Device], axis: str = sharding.MEMBERS
) -> training.Problem:
  """Builds an experiment's problem and sees that its states fit into memory.

  Args:
    run: what to build, and for how many members.
    devices: where, of all processes.
    axis: what they divide, as of `training.population`.

  Returns:
    The problem, in all processes on the same data.

  Raises:
    SettingError: if the members' states do not fit.
    HostsError: if another process cannot build it, or has other data.
  """
  problem = multihost.in_all(lambda: _built(run, devices, axis))
  return problem._replace(data=multihost.shared(problem.data))


def _built(
  run: RunSettings, devices: Sequence[Device], axis: str
) -> training.Problem:
  problem, num_seeds = run.experiment.build(run.settings), len(run.seeds)
  if num_seeds > fitting_members(problem, devices, axis=axis):
    own = _of_this_process(devices)
    on_cores = own[0].platform == "cpu"
    num_sharing = len(devices) // len(own) if on_cores else len(devices)
    if axis == sharding.MEMBERS:
      members = -(-num_seeds // num_sharing)
    else:
      members = num_seeds * (len(own) if on_cores else 1)
    raise SettingError(
      f"{num_seeds} {'seed takes' if num_seeds == 1 else 'seeds take'} "
      f"{_member_bytes(problem) * members / 2**30:,.1f} GiB of memory, and "
      f"there {'are' if on_cores else 'are, on each device,'} "
      f"{environment.memory(own[0]) / 2**30:,.1f}; give fewer seeds, "
      "smaller networks or a smaller --replay_size"
    )
  return problem


def _of_this_process(devices: Sequence[Device]) -> list[Device]:
  return [own for own in devices if own.process_index == multihost.index()]


def _member_bytes(problem: training.Problem) -> int:
  """Returns the bytes of one member's states."""
  state = jax.eval_shape(problem.init, jax.random.key(0))
  return STATES_IN_MEMORY * sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(state)
  )


def fitting_members(
  problem: training.Problem,
  devices: Sequence[Device],
  share: float = 1.0,
  axis: str = sharding.MEMBERS,
) -> int:
  """Returns how many members' states fit into memory.

  Args:
    problem: that they train.
    devices: that train them; the cores of a process share one memory.
    share: of the memory that they may take.
    axis: what the devices divide, as of `training.population`.
  """
  own = _of_this_process(devices)
  on_cores = own[0].platform == "cpu"
  on_each = int(share * environment.memory(own[0])) // _member_bytes(problem)
  if axis == sharding.DATA:
    return on_each // len(own) if on_cores else on_each
  return on_each * (len(devices) // len(own) if on_cores else len(devices))


def train(
  run: RunSettings,
  problem: training.Problem,
  devices: Sequence[Device],
  workdir: Path,
  recording: Recording = DEFAULT_RECORDING,
  resumes: bool = False,
  should_stop: Callable[[], bool] = lambda: False,
  axis: str = sharding.MEMBERS,
) -> Run | None:
  """Trains one member per seed and writes the run folder.

  Where there are several processes, each calls this, and the first writes.

  Args:
    run: what to train.
    problem: what `prepare` made of it.
    devices: where, of all processes.
    workdir: a run folder, claimed by this process: an empty one, or that of the
      same run to go on with.
    recording: what is written beside the results.
    resumes: whether to go on where the newest checkpoint is.
    should_stop: asked several times a second.
    axis: what the devices divide, as of `training.population`.

  Returns:
    The run; None if it was told to stop, and saved, and in other processes than
    the first.

  Raises:
    RunFolderError: if the run that is there cannot be gone on with.
    OSError: if something cannot be written.
  """
  settings, seeds = run.settings, run.seeds
  start, seconds_before = trainer.BEGINNING, 0.0
  if resumes:
    start, seconds_before = multihost.from_first(
      lambda: resume.start(workdir, run, problem)
    )

  def outcome_of(listener):
    pace = Pace(
      settings.steps,
      settings.log_interval(),
      settings.evaluation_interval(),
      recording.checkpoint_every,
    )
    return trainer.train(
      problem, seeds, pace, devices, listener, start, axis=axis
    )

  if not multihost.is_first():
    outcome_of(trainer.Listener(should_stop=should_stop))
    multihost.any_of(should_stop())
    return None
  machine = environment.describe(devices)
  (workdir / results.SUMMARY).unlink(missing_ok=True)
  run_config.write(workdir, run, machine)
  description = resume.description(run, problem)
  with Recorder(
    workdir, run, description, recording, start, seconds_before
  ) as recorder:
    recorder.event(
      "began" if start.checkpoint is None else "resumed",
      0 if start.checkpoint is None else start.checkpoint.step,
      f"on {machine['device']}, jax {machine['versions']['jax']}",
    )
    outcome = outcome_of(recorder.listener(should_stop))
    # In the others it is a part of the sum that they wait for.
    is_told = multihost.any_of(should_stop())
    try:
      if outcome.stopped and is_told:
        raise StoppedError
      return finish(run, problem, outcome, machine, recorder, should_stop)
    except StoppedError:
      recorder.event("stopped", outcome.step, "was told to")
      return None


class StoppedError(Exception):
  """The process was told to stop, and all that was trained is saved."""


def finish(
  run: RunSettings,
  problem: training.Problem,
  outcome: trainer.Outcome,
  machine: Mapping[str, Any],
  record: Record,
  should_stop: Callable[[], bool],
  draws: bool = True,
) -> Run:
  """Writes what a training has come to.

  Args:
    run: what was trained.
    problem: that it makes.
    outcome: of the training.
    machine: what `environment.describe` says.
    record: that it was written down in.
    should_stop: asked between pictures.
    draws: whether the pictures and the animation are drawn.

  Returns:
    The run.

  Raises:
    StoppedError: if it was told to stop before the end.
    OSError: if something cannot be written.
  """
  experiment, settings, seeds = run
  workdir = record.workdir
  run_results = Results(
    experiment.name,
    dataclasses.asdict(settings),
    np.asarray(seeds),
    outcome.steps,
    outcome.metrics,
    outcome.snapshots,
    workdir,
  )
  with results.replacing(workdir / results.SNAPSHOTS) as partial:
    np.savez_compressed(partial, allow_pickle=False, **outcome.snapshots)
  for name, draw in experiment.figures.items() if draws else ():
    _go_on(should_stop)
    figure = draw(run_results)
    if not isinstance(figure, Figure):
      figure = _frames(figure, should_stop)
    results.write_figures(workdir, {name: figure})
  score = np.array(experiment.score(run_results))
  # A seed that failed has no metrics at its end, and no score: that is 0.
  failed = np.isin(seeds, [failure.seed for failure in outcome.failures])
  score[failed] = np.nan_to_num(score[failed], nan=0.0)
  summary = {
    "experiment": experiment.name,
    "settings": dataclasses.asdict(settings),
    "seeds": list(seeds),
    "steps": outcome.step,
    "steps_per_second": outcome.steps_per_second,
    "wall_seconds": record.wall_seconds(),
    "device": machine["device"],
    "versions": machine["versions"],
    **({"protocol": dict(problem.protocol)} if problem.protocol else {}),
    **results.final_and_best(outcome.metrics, score),
    "failures": [failure._asdict() for failure in outcome.failures],
  }
  lost = outcome.stopped or len(outcome.failures) == len(seeds)
  record.event(
    "ended",
    outcome.step,
    "every seed has failed or is in trouble"
    if lost
    else f"after {summary['wall_seconds']:,.1f} s",
  )
  record.finish(outcome.step)
  # A folder without it is of a run that has not finished.
  results.write_json(workdir / results.SUMMARY, summary)
  complete(workdir)
  return Run(run_results, summary)


def is_finished(workdir: Path) -> bool:
  """Tells whether a run has come to an end, of which it wrote the summary."""
  return (workdir / results.SUMMARY).exists()


def _go_on(should_stop: Callable[[], bool]) -> None:
  if should_stop():
    raise StoppedError


def _frames(
  images: Iterator[Image.Image], should_stop: Callable[[], bool]
) -> Iterator[Image.Image]:
  """Draws an animation until it is told to stop."""
  for image in images:
    _go_on(should_stop)
    yield image


def complete(workdir: Path) -> None:
  """Does what is left to do in the folder of a finished run.

  Args:
    workdir: the run folder, which has a summary.
  """
  run_logs.drop_frames(workdir)
  run_report.write([workdir], workdir / results.REPORT)


def find(parent: Path, run: RunSettings) -> tuple[Path, Results] | None:
  """Finds a finished run of an experiment, settings and seeds.

  A folder that cannot be read is passed over, and said.

  Args:
    parent: the folder whose run folders are searched.
    run: whose experiment, settings and seeds must be the same one by one.

  Returns:
    The newest such folder by name, and what is in it; None if there is none.
  """
  wanted = {
    "experiment": run.experiment.name,
    "settings": dataclasses.asdict(run.settings),
    "seeds": list(run.seeds),
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
