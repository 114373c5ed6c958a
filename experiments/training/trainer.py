"""Trains runs into their folders, from the first step to the last picture.

`experiments.run` and the figures train one run at a time. A sweep trains runs
that differ in seeds and numeric settings together, in one compiled program.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.cli import console
from experiments.devices import environment, multihost
from experiments.run_folder import results
from experiments.run_folder.results import Results
from experiments.training import checkpoints, run_config, run_logs
from experiments.training.callbacks import (
  CheckpointSaver,
  ProgressBar,
  RunLogger,
  RunMembers,
  StopWhen,
)
from experiments.training.memory import check_memory
from experiments.training.resume import (
  StartingPoint,
  describe_runs,
  find_start,
)
from experiments.training.run_config import RunSettings
from experiments.training.tensorboard import TensorBoard
from gan_jax import sharding, training
from gan_jax.training import Problem
from gan_jax.types import Device


class Options(NamedTuple):
  """What a training writes beside its results, and when it gives up.

  Attributes:
    checkpoint_every: steps between checkpoints; 0 for one a minute.
    keeping: which checkpoints are kept.
    stop_on_failure: whether to stop once a warning holds for every seed;
      otherwise the run stops once no seed has finite values.
    tensorboard: whether to write event files.
    max_frames: about how many logs have a frame; 1 for the last one alone.
    draw_figures: whether to draw the pictures and the animation.
  """

  checkpoint_every: int = 0
  keeping: checkpoints.Keeping = checkpoints.Keeping()
  stop_on_failure: bool = False
  tensorboard: bool = False
  max_frames: int = training.MAX_FRAMES
  draw_figures: bool = True


DEFAULT_OPTIONS = Options()


class Run(NamedTuple):
  """A finished run: its measurements, and the content of its summary.json."""

  results: Results
  summary: dict[str, Any]


class StoppedError(Exception):
  """The process was interrupted after everything trained was saved."""


def build_problem(
  run: RunSettings, devices: Sequence[Device], axis: str = sharding.MEMBERS
) -> Problem:
  """Builds the problem of a run and checks that its states fit into memory.

  Args:
    run: settings and seeds.
    devices: of all processes.
    axis: what the devices divide, as in `training.population`.

  Returns:
    The problem, with the same data in all processes.

  Raises:
    SettingError: if the states do not fit.
    HostsError: if another process cannot build it, or has other data.
  """

  def build():
    problem = run.experiment.build(run.settings)
    check_memory(problem, len(run.seeds), devices, axis)
    return problem

  problem = multihost.in_all(build)
  return problem._replace(data=multihost.shared(problem.data))


def train_run(
  run: RunSettings,
  problem: Problem,
  devices: Sequence[Device],
  workdir: Path,
  options: Options = DEFAULT_OPTIONS,
  resumes: bool = False,
  should_stop: Callable[[], bool] = lambda: False,
  axis: str = sharding.MEMBERS,
) -> Run | None:
  """Trains one member per seed and writes the run folder.

  If there are several processes, each calls this, and process 0 writes.

  Args:
    run: what to train.
    problem: what `build_problem` returned.
    devices: of all processes.
    workdir: a run folder that this process has claimed: empty, or that of the
      same run to resume.
    options: what to write beside the results.
    resumes: whether to continue from the newest checkpoint.
    should_stop: whether the process was interrupted.
    axis: what the devices divide, as in `training.population`.

  Returns:
    The run; None if it was interrupted, and in processes other than 0.

  Raises:
    RunFolderError: if the run that is there cannot resume.
    OSError: if something cannot be written.
  """
  members = (RunMembers(run.seeds, slice(0, len(run.seeds)), run.seeds),)
  start = StartingPoint(None, ((),), 0.0)
  if resumes:
    start = multihost.from_first(
      lambda: find_start(workdir, [run], [workdir], members, problem)
    )
  schedule = _schedule(run, options)
  if not multihost.is_first():
    training.train(
      problem,
      run.seeds,
      schedule,
      devices,
      [StopWhen(should_stop)],
      start.checkpoint,
      start.last_log,
      axis=axis,
    )
    multihost.any_of(should_stop())
    return None

  (workdir / results.SUMMARY).unlink(missing_ok=True)
  machine = environment.describe(devices)
  run_config.write_settings(workdir, run, machine)
  logger = RunLogger(workdir, members[0], start.logs[0])
  began = time.perf_counter() - start.wall_seconds
  with contextlib.ExitStack() as stack:
    writer = stack.enter_context(
      checkpoints.Writer(
        workdir, options.keeping, describe_runs([run], problem)
      )
    )
    bar = stack.enter_context(
      console.progress(run.experiment.name, run.settings.steps, start.step)
    )
    callbacks = [
      logger,
      ProgressBar(bar, logger),
      CheckpointSaver(
        writer, [logger.monitor], lambda: time.perf_counter() - began
      ),
      StopWhen(should_stop),
    ]
    if options.stop_on_failure:
      callbacks.append(StopWhen(lambda: bool(logger.monitor.warned.all())))
    board = None
    if options.tensorboard:
      board = stack.enter_context(TensorBoard(workdir, run.seeds, start.step))
      callbacks.append(board)
    _log_start(logger, start, machine)
    result = training.train(
      problem,
      run.seeds,
      schedule,
      devices,
      callbacks,
      start.checkpoint,
      start.last_log,
      axis=axis,
    )
    # The other processes call this too.
    interrupted = multihost.any_of(should_stop())
    try:
      if result.stopped and interrupted:
        raise StoppedError
      finished = _finish(
        run, problem, result, logger, machine, began, should_stop, options
      )
      writer.wait()
      if board:
        board.write_figures(result.checkpoint.step)
    except StoppedError:
      logger.event("stopped", result.checkpoint.step, "the run was interrupted")
      return None
    _write_summary(workdir, finished.summary)
    return finished


def train_together(
  runs: Sequence[RunSettings],
  workdirs: Sequence[Path],
  folder: Path,
  build: Callable[[Any], Problem],
  variation: training.Variation,
  devices: Sequence[Device],
  options: Options,
  callbacks: Sequence[training.Callback] = (),
  should_stop: Callable[[], bool] = lambda: False,
) -> bool:
  """Trains runs that differ in numbers in one program, into their folders.

  A run that has finished is never touched again.

  Args:
    runs: settings of one structure, with equally many seeds each.
    workdirs: the run folder of each.
    folder: for checkpoints of all members together, claimed by this process.
    build: settings -> problem.
    variation: the members: all seeds of the first run, then of the second, ...
    devices: that the members are divided among.
    options: what to write beside the results.
    callbacks: what else happens.
    should_stop: whether the process was interrupted.

  Returns:
    Whether all runs have finished; otherwise they were interrupted and saved.

  Raises:
    RunFolderError: if what is there cannot resume.
    OSError: if something cannot be written.
  """
  num_seeds = len(runs[0].seeds)
  members = []
  for index, run in enumerate(runs):
    first = index * num_seeds
    numbers = range(first, first + num_seeds)
    members.append(RunMembers(run.seeds, slice(first, numbers.stop), numbers))
  problem = build(runs[0].settings)
  for path in (folder, *workdirs):
    path.mkdir(parents=True, exist_ok=True)
  start = find_start(folder, runs, workdirs, members, problem)
  machine = environment.describe(devices)
  loggers = {
    index: RunLogger(workdir, members[index], start.logs[index])
    for index, workdir in enumerate(workdirs)
    if not results.is_finished(workdir)
  }
  for index, logger in loggers.items():
    run_config.write_settings(logger.workdir, runs[index], machine)
    _log_start(logger, start, machine, f", as one of {len(runs)} trials")
  began = time.perf_counter() - start.wall_seconds
  with checkpoints.Writer(
    folder, options.keeping, describe_runs(runs, problem)
  ) as writer:
    result = training.train(
      problem,
      range(len(runs) * num_seeds),
      _schedule(runs[0], options),
      devices,
      [
        *loggers.values(),
        CheckpointSaver(
          writer,
          [logger.monitor for logger in loggers.values()],
          lambda: time.perf_counter() - began,
        ),
        StopWhen(should_stop),
        *callbacks,
      ],
      start.checkpoint,
      start.last_log,
      variation,
    )
  if result.stopped:
    for logger in loggers.values():
      logger.event("stopped", result.checkpoint.step, "the run was interrupted")
    return False
  try:
    for index, logger in loggers.items():
      _check_not_interrupted(should_stop)
      run = runs[index]
      problem = build(run.settings)
      _save_members(run, problem, result, logger, began)
      finished = _finish(
        run, problem, result, logger, machine, began, should_stop, options
      )
      _write_summary(logger.workdir, finished.summary)
  except StoppedError:
    return False
  return True


def _schedule(run: RunSettings, options: Options) -> training.Schedule:
  return training.Schedule(
    run.settings.steps,
    run.settings.log_interval(),
    run.settings.evaluation_interval(),
    options.checkpoint_every,
    options.max_frames,
  )


def _log_start(
  logger: RunLogger,
  start: StartingPoint,
  machine: Mapping[str, Any],
  addition: str = "",
) -> None:
  logger.event(
    "began" if start.checkpoint is None else "resumed",
    start.step,
    f"on {machine['device']}, jax {machine['versions']['jax']}{addition}",
  )


def _save_members(
  run: RunSettings,
  problem: Problem,
  result: training.Result,
  logger: RunLogger,
  began: float,
) -> None:
  """Saves a run's part of the last checkpoint to the folder of the run."""
  # A process that was killed before it wrote the summary may have left one.
  checkpoints.discard_after(logger.workdir, -1)
  members = logger.members
  failures = members.failures(result.failures)
  checkpoint = result.checkpoint._replace(
    progress=jax.tree.map(
      lambda x: x[members.indices], result.checkpoint.progress
    ),
    num_failed=len(failures),
  )
  with checkpoints.Writer(
    logger.workdir, checkpoints.Keeping(newest=1), describe_runs([run], problem)
  ) as writer:
    writer.save(
      checkpoint,
      max(len(failures), int(logger.monitor.warned.sum())),
      time.perf_counter() - began,
    )


def _finish(
  run: RunSettings,
  problem: Problem,
  result: training.Result,
  logger: RunLogger,
  machine: Mapping[str, Any],
  began: float,
  should_stop: Callable[[], bool],
  options: Options,
) -> Run:
  """Writes the snapshots and figures of a run, and returns its summary.

  Everything is drawn and scored from the logs on disk.

  Raises:
    StoppedError: if the process was interrupted.
    OSError: if something cannot be written.
  """
  experiment, settings, seeds = run
  workdir, step = logger.workdir, result.checkpoint.step
  logs = run_logs.read_logs(workdir, seeds, reference=problem.reference)
  steps, metrics, snapshots = training.stack_logs(
    logs, seeds, problem.reference
  )
  run_results = Results(
    experiment.name,
    dataclasses.asdict(settings),
    np.asarray(seeds),
    steps,
    metrics,
    snapshots,
    workdir,
  )
  with results.replacing(workdir / results.SNAPSHOTS) as partial:
    np.savez_compressed(partial, allow_pickle=False, **snapshots)
  for name, draw in experiment.figures.items() if options.draw_figures else ():
    _check_not_interrupted(should_stop)
    figure = draw(run_results)
    if not isinstance(figure, Figure):
      figure = _frames(figure, should_stop)
    results.write_figures(workdir, {name: figure})
  failures = logger.members.failures(result.failures)
  score = np.array(experiment.score(run_results))
  # A seed that failed has no metrics at its end; its score is 0.
  failed = np.isin(seeds, [failure.seed for failure in failures])
  score[failed] = np.nan_to_num(score[failed], nan=0.0)
  wall_seconds = time.perf_counter() - began
  summary = {
    "experiment": experiment.name,
    "settings": dataclasses.asdict(settings),
    "seeds": list(seeds),
    "steps": step,
    "steps_per_second": result.steps_per_second,
    "wall_seconds": wall_seconds,
    "device": machine["device"],
    "versions": machine["versions"],
    **({"protocol": dict(problem.protocol)} if problem.protocol else {}),
    **results.final_and_best(metrics, score),
    "failures": [failure._asdict() for failure in failures],
  }
  all_warned = result.stopped or len(failures) == len(seeds)
  logger.event(
    "ended",
    step,
    "every seed has failed or has a warning"
    if all_warned
    else f"after {wall_seconds:,.1f} s",
  )
  return Run(run_results, summary)


def _check_not_interrupted(should_stop: Callable[[], bool]) -> None:
  if should_stop():
    raise StoppedError


def _frames(
  images: Iterator[Image.Image], should_stop: Callable[[], bool]
) -> Iterator[Image.Image]:
  """Draws an animation until the process is interrupted."""
  for image in images:
    _check_not_interrupted(should_stop)
    yield image


def _write_summary(workdir: Path, summary: Mapping[str, Any]) -> None:
  """Marks a run as finished."""
  results.write_json(workdir / results.SUMMARY, summary)
  (workdir / results.FRAMES).unlink(missing_ok=True)
