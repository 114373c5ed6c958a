"""Trains runs and writes their run folders, from first step to last picture.

`experiments.run` and the figures train one run at a time. A sweep trains runs
that differ in seeds and numeric settings together, in one compiled program.
"""

import contextlib
import dataclasses
import functools
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
from experiments.run_folder import results, run_logs
from experiments.run_folder.intervals import SCORE
from experiments.run_folder.results import Results
from experiments.training import checkpoints, run_config
from experiments.training.callbacks import (
  CheckpointSaver,
  Logger,
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
from gan_jax import sharding, training
from gan_jax.training import Problem
from gan_jax.types import Device


class Options(NamedTuple):
  """Options of `train`: what it writes and shows, and when it gives up.

  Attributes:
    checkpoint_every: steps between checkpoints; 0 for one a minute.
    keeping: which checkpoints are kept.
    allow_changed_data: whether a run may resume with other data.
    stop_on_failure: whether to stop once every seed has failed or has a
      warning; otherwise the run stops once every seed has failed.
    loggers: (run folder, seeds, steps taken) -> a logger of the first run, such
      as `tensorboard.TensorBoard`.
    max_frames: about how many logs hold arrays to draw; 1 for the last log.
    draw_figures: whether to draw the pictures and the animation.
    show_progress: whether to show progress on the terminal.
  """

  checkpoint_every: int = 0
  keeping: checkpoints.Keeping = checkpoints.Keeping()
  allow_changed_data: bool = False
  stop_on_failure: bool = False
  loggers: Sequence[Callable[[Path, Sequence[int], int], Logger]] = ()
  max_frames: int = training.MAX_FRAMES
  draw_figures: bool = True
  show_progress: bool = True


DEFAULT_OPTIONS = Options()


class FinishedRun(NamedTuple):
  """A finished run: its measurements, and the content of its summary.json."""

  results: Results
  summary: dict[str, Any]


class StoppedError(Exception):
  """Raised to leave the writing of results; all that was trained is saved."""


def build_problem(
  run: RunSettings, devices: Sequence[Device], axis: str = sharding.MEMBERS
) -> Problem:
  """Builds the problem of a run and checks that its states fit into memory.

  Args:
    run: settings and seeds.
    devices: the devices of all processes.
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


def train(
  runs: Sequence[RunSettings],
  workdirs: Sequence[Path],
  build: Callable[[Any], Problem],
  devices: Sequence[Device],
  options: Options = DEFAULT_OPTIONS,
  resumes: bool = False,
  should_stop: Callable[[], bool] = lambda: False,
  axis: str = sharding.MEMBERS,
  folder: Path | None = None,
  variation: training.Variation | None = None,
  callbacks: Sequence[training.Callback] = (),
) -> list[FinishedRun] | None:
  """Trains a run, or several together, and writes their folders.

  If there are several processes, each calls this, and process 0 writes.

  Args:
    runs: one run, or several with equally many seeds whose settings differ only
      in numbers.
    workdirs: the run folder of each, claimed by this process. If there are
      several runs, the folders of finished ones are left unchanged.
    build: settings -> problem.
    devices: the devices of all processes.
    options: what to write beside the results.
    resumes: whether to continue from the newest checkpoint.
    should_stop: whether the process was interrupted.
    axis: what the devices divide, as in `training.population`.
    folder: the folder of the checkpoints if there are several runs; None for
      the run folder of a single run.
    variation: the members of several runs: all seeds of the first run, then of
      the second, and so on.
    callbacks: more callbacks of the training loop, beside those made here.

  Returns:
    The finished runs, with their results; None if the process was interrupted,
    and always None in processes other than 0.

  Raises:
    RunFolderError: if a folder holds something that cannot be resumed.
    OSError: if something cannot be written.
  """
  folder = folder or workdirs[0]
  problem = build(runs[0].settings)
  members = _members(runs)
  machine = environment.describe(devices)
  start = StartingPoint(None, ((),) * len(runs), 0.0)
  if resumes:
    start = multihost.from_first(
      lambda: find_start(
        folder, runs, workdirs, members, problem, options.allow_changed_data
      )
    )
  began = time.perf_counter() - start.wall_seconds

  def wall_seconds():
    return time.perf_counter() - began

  settings = runs[0].settings
  train_members = functools.partial(
    training.train,
    problem,
    [number for each in members for number in each.numbers],
    training.Schedule(
      settings.steps,
      settings.log_interval(),
      settings.evaluation_interval(),
      options.checkpoint_every,
      options.max_frames,
    ),
    devices,
    start=start.checkpoint,
    last_log=start.last_log,
    variation=variation,
    axis=axis,
    keep_logs=False,
    score=functools.partial(_score_log, runs, members, problem.protocol),
  )
  if not multihost.is_first():
    train_members(callbacks=[StopWhen(should_stop)])
    multihost.any_of(should_stop())
    return None

  run_loggers = []
  for index, (run, workdir, part, logs) in enumerate(
    zip(runs, workdirs, members, start.logs, strict=True)
  ):
    if len(runs) > 1 and results.is_finished(workdir):
      continue
    (workdir / results.SUMMARY).unlink(missing_ok=True)
    run_config.write_settings(
      workdir, run, machine, problem.data_record, problem.protocol
    )
    if problem.statistics:
      with results.replacing(workdir / results.STATISTICS) as partial:
        np.savez_compressed(partial, allow_pickle=False, **problem.statistics)
    run_loggers.append(RunLogger(index, workdir, run, part, logs, wall_seconds))
    run_loggers[-1].event(
      "began" if start.checkpoint is None else "resumed",
      start.step,
      f"on {machine['device']}, jax {machine['versions']['jax']}"
      + (f", as one of {len(runs)} trials" if len(runs) > 1 else ""),
    )
    if start.changed_data:
      run_loggers[-1].event("changed_data", start.step, start.changed_data)
    if start.jump:
      run_loggers[-1].event(run_logs.CHANGED_STEPS, start.step, start.jump)
    for fault in start.faults:
      if str(workdir) in fault:
        run_loggers[-1].event("gap", start.step, fault)
  with contextlib.ExitStack() as stack:
    writer = stack.enter_context(
      checkpoints.Writer(
        folder,
        options.keeping,
        describe_runs(runs, problem),
        lambda step: _note_checkpoint(run_loggers, step),
      )
    )
    loggers = []
    for make in options.loggers:
      loggers.append(make(workdirs[0], runs[0].seeds, start.step))
      stack.callback(loggers[-1].close)
    callbacks = [
      *run_loggers,
      *loggers,
      CheckpointSaver(writer, run_loggers, wall_seconds),
      StopWhen(should_stop),
      *callbacks,
    ]
    if options.stop_on_failure:
      callbacks.append(
        StopWhen(lambda: all(each.monitor.warned.all() for each in run_loggers))
      )
    show = None
    if options.show_progress:
      bar = stack.enter_context(
        console.progress(runs[0].experiment.name, settings.steps, start.step)
      )
      callbacks.append(ProgressBar(bar, run_loggers[0]))
      show = bar.show
    result = train_members(callbacks=callbacks)
    # Every process calls `any_of`, as above, so that all agree.
    interrupted = multihost.any_of(should_stop())
    finished = []
    try:
      if result.stopped and interrupted:
        raise StoppedError
      writer.wait()
      for logger in run_loggers:
        _check_not_interrupted(should_stop)
        problem = build(logger.run.settings)
        if logger.workdir != folder:
          _save_members(problem, result, logger, began)
        run = _write_results(
          problem, result, logger, machine, began, should_stop, options, show
        )
        for each in loggers:
          each.write_figures(result.checkpoint.step)
        # Written last: it marks the run as finished.
        results.write_json(logger.workdir / results.SUMMARY, run.summary)
        (logger.workdir / results.FRAMES).unlink(missing_ok=True)
        finished.append(run)
    except StoppedError:
      for logger in run_loggers[len(finished) :]:
        logger.event(
          "stopped", result.checkpoint.step, "the run was interrupted"
        )
      return None
  return finished


def _note_checkpoint(loggers: Sequence[RunLogger], step: int) -> None:
  """Notes that runs can resume: one without checkpoints has lost them."""
  for logger in loggers:
    logger.event(run_logs.SAVED, step, "the first checkpoint is saved")


def _members(runs: Sequence[RunSettings]) -> list[RunMembers]:
  """Assigns members to runs: one run keeps its seeds, several are numbered."""
  if len(runs) == 1:
    (run,) = runs
    return [RunMembers(run.seeds, slice(0, len(run.seeds)), run.seeds)]
  members, first = [], 0
  for run in runs:
    numbers = range(first, first + len(run.seeds))
    members.append(RunMembers(run.seeds, slice(first, numbers.stop), numbers))
    first = numbers.stop
  return members


def _save_members(
  problem: Problem,
  result: training.Result,
  logger: RunLogger,
  began: float,
) -> None:
  """Saves a run's part of the last checkpoint to the folder of the run."""
  # A process killed before it wrote the summary may have left a checkpoint.
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
    logger.workdir,
    checkpoints.Keeping(newest=1),
    describe_runs([logger.run], problem),
  ) as writer:
    writer.save(
      checkpoint,
      max(len(failures), int(logger.monitor.warned.sum())),
      time.perf_counter() - began,
      {"0": logger.checksum()},
    )


def _write_results(
  problem: Problem,
  result: training.Result,
  logger: RunLogger,
  machine: Mapping[str, Any],
  began: float,
  should_stop: Callable[[], bool],
  options: Options,
  show: Callable[[str], None] | None,
) -> FinishedRun:
  """Writes the snapshots and figures of a run, and returns the finished run.

  Everything is drawn and scored from the logs on disk.

  Raises:
    StoppedError: if the process was interrupted.
    OSError: if something cannot be written.
  """
  experiment, settings, seeds = logger.run
  workdir, step = logger.workdir, result.checkpoint.step
  logs = run_logs.read_logs(workdir, seeds, reference=problem.reference).logs
  steps, metrics, snapshots = training.stack_logs(
    logs, seeds, problem.reference
  )
  metrics.pop(SCORE, None)  # Rows of an earlier version lack it.
  run_results = Results(
    experiment.name,
    dataclasses.asdict(settings),
    np.asarray(seeds),
    steps,
    metrics,
    snapshots,
    workdir,
    protocol=problem.protocol,
  )
  failures = logger.members.failures(result.failures)
  score = _score(logger.run, run_results, failures)
  if settings.evaluate:
    # A seed that failed scores 0 at its end, measured there or not.
    failed = np.isin(seeds, [failure.seed for failure in failures])
    score[failed, -1] = np.nan_to_num(score[failed, -1], nan=0.0)
    run_results = run_results._replace(metrics={**metrics, SCORE: score})
  with results.replacing(workdir / results.SNAPSHOTS) as partial:
    np.savez_compressed(partial, allow_pickle=False, **snapshots)
  for name, draw in experiment.figures.items() if options.draw_figures else ():
    if name in experiment.metric_figures and not settings.evaluate:
      continue
    _check_not_interrupted(should_stop)
    if show:
      show(f"drawing {name}")
    figure = draw(run_results)
    if not isinstance(figure, Figure):
      figure = _frames(figure, should_stop)
    results.write_figures(workdir, {name: figure})
  wall_seconds = time.perf_counter() - began
  summary = {
    "experiment": experiment.name,
    "settings": dataclasses.asdict(settings),
    "seeds": list(seeds),
    "steps": step,
    "num_logs": len(logs),
    "metrics_sha256": logger.checksum(),
    "steps_per_second": result.steps_per_second,
    "wall_seconds": wall_seconds,
    "device": machine["device"],
    "versions": machine["versions"],
    **({"data": dict(problem.data_record)} if problem.data_record else {}),
    **({"protocol": dict(problem.protocol)} if problem.protocol else {}),
    **results.final_and_best(metrics, score),
    "failures": [failure._asdict() for failure in failures],
  }
  ended = f"after {wall_seconds:,.1f} s"
  if len(failures) == len(seeds):
    ended = "every seed has failed"
  elif result.stopped:
    ended = "every seed has failed or has a warning"
  logger.event("ended", step, ended)
  return FinishedRun(run_results, summary)


def _score_log(
  runs: Sequence[RunSettings],
  members: Sequence[RunMembers],
  protocol: Mapping[str, Any],
  log: training.Log,
) -> dict[str, np.ndarray]:
  """Scores all members at a step; returns {} if none has a score there."""
  scores = []
  for run, part in zip(runs, members, strict=True):
    log_of_run = part.log(log)
    run_results = Results(
      run.experiment.name,
      dataclasses.asdict(run.settings),
      np.asarray(run.seeds),
      np.asarray([log.step]),
      {name: values[:, None] for name, values in log_of_run.metrics.items()},
      snapshots={},
      protocol=protocol,
    )
    scores.append(_score(run, run_results, log_of_run.failures)[:, 0])
  score = np.concatenate(scores)
  return {} if np.isnan(score).all() else {SCORE: score}


def _score(
  run: RunSettings,
  run_results: Results,
  failures: Sequence[training.Failure],
) -> np.ndarray:
  """Scores a run, [num_seeds, num_logs]; NaN where it was not measured.

  A seed that has failed scores 0 where others are measured, or have failed too.
  """
  if not run.settings.evaluate:
    return np.full((len(run.seeds), len(run_results.steps)), np.nan)
  score = results.count_diverged(np.asarray(run.experiment.score(run_results)))
  failed_at = {failure.seed: failure.step for failure in failures}
  failed = np.array(
    [failed_at.get(seed, np.inf) <= run_results.steps for seed in run.seeds]
  )
  score[np.isnan(score) & failed.all(axis=0)] = 0.0
  return score


def _check_not_interrupted(should_stop: Callable[[], bool]) -> None:
  if should_stop():
    raise StoppedError


def _frames(
  images: Iterator[Image.Image], should_stop: Callable[[], bool]
) -> Iterator[Image.Image]:
  """Yields the frames of an animation; raises StoppedError if interrupted."""
  for image in images:
    _check_not_interrupted(should_stop)
    yield image
