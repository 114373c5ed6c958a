"""Trains one experiment: `python -m experiments.run --experiment=ring`."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etils import epy

from experiments.cli import console, flags, help_text, signals
from experiments.cli.flags import CommandLine
from experiments.configs.fields import setting
from experiments.configs.image_settings import ImageSettings
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.errors import UsageError

if TYPE_CHECKING:
  from experiments.devices.mesh import Wanted
  from experiments.training import callbacks

# JAX is imported when it is first used, so that `--help` is quick.
with epy.lazy_imports():
  from experiments.datasets import image_datasets
  from experiments.devices import environment, mesh, multihost
  from experiments.reports import run_report
  from experiments.run_folder import results, workdirs
  from experiments.training import (
    checkpoints,
    monitor,
    request,
    run_config,
    tensorboard,
    trainer,
  )
  from gan_jax import training

USAGE = """\
python -m experiments.run --experiment=NAME [--SETTING=VALUE ...]

Trains a game for one seed, or for several seeds at once, and writes a run
folder with metrics, a score, figures and an animation. With --experiment this
help shows the settings and defaults of that experiment only.

python -m experiments.run --resume --workdir=DIR [--steps=MORE]

Resumes a run that was stopped or killed; the result is as if it had not been
interrupted. A finished run trains for more steps."""

FAILED_EXIT_CODE = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
  """The flags of this command that are not settings of an experiment."""

  experiment: str = setting(
    "normal",
    "experiment to train; --list shows them all",
    heading="What to train",
  )
  preset: str = setting(
    "",
    "other values of the experiment's settings, which flags may change again; "
    "with --experiment this help shows its presets",
  )
  list: bool = setting(False, "print the experiments and exit")
  seed: int = setting(0, "the first seed", minimum=0, maximum=2**32 - 1)
  num_seeds: int = setting(
    1,
    "number of seeds to train together: seed, seed + 1, ...",
    minimum=1,
    maximum=65536,
  )
  workdir: str = setting(
    "",
    "run folder to write to; by default the next free runs/NAME-NNN",
    is_path=True,
    heading="Run folder",
  )
  overwrite: bool = setting(False, "replace an existing run folder")
  resume: bool = setting(
    False,
    "continue the run in --workdir from its newest intact checkpoint, or start "
    "it if there is none",
  )
  allow_changed_data: bool = setting(
    False, "let --resume go on with other images than the run has seen"
  )
  refresh_data: bool = setting(
    False, "decode the images again that are cached for the dataset"
  )
  checkpoint_every: int = setting(
    0,
    "steps between checkpoints; 0 saves about one a minute",
    minimum=0,
    heading="Checkpoints",
  )
  keep_checkpoints: int = setting(
    3,
    "number of newest checkpoints to keep; the newest of those with the fewest "
    "failed or warned seeds is kept too",
    minimum=1,
  )
  keep_checkpoint_every: int = setting(
    0,
    "keep every checkpoint whose step is a multiple of this, which must be a "
    "multiple of checkpoint_every unless that is 0; 0 keeps no more",
    minimum=0,
  )
  tensorboard: bool = setting(
    False,
    "write event files for TensorBoard too",
    heading="Logs and failures",
  )
  on_failure: str = setting(
    "continue",
    "what to do once every seed has failed or has a warning (exploding, "
    "collapsed or saturated): stop, or continue until every seed has failed",
    choices=("continue", "stop"),
  )
  platform: str = setting(
    "auto",
    "platform to train on; auto is JAX's first choice",
    choices=flags.PLATFORMS,
    heading="Devices",
  )
  threads: int = setting(
    0,
    "threads to compute with on a CPU, on which the last bits of all numbers "
    "depend; 0 is those of the run that resumes, or one for each core",
    minimum=0,
    maximum=flags.MAX_THREADS,
  )
  mesh: str = setting(
    "auto",
    "devices to train on: members:N divides the seeds among N devices, data:N "
    "divides each batch, auto divides the seeds among all devices",
  )
  coordinator_address: str = setting(
    "",
    "HOST:PORT of process 0 if several processes train one run; each process "
    "runs the same command with another --process_id",
    heading="Several processes",
  )
  num_processes: int = setting(0, "number of processes", minimum=0)
  process_id: int = setting(-1, "number of this process: 0, 1, ...", minimum=-1)
  distributed: bool = setting(
    False,
    "train together with the other processes that Slurm, Open MPI or a TPU has "
    "started; JAX finds them",
  )


_OPTIONS_THAT_MAY_DIFFER = ("process_id", "workdir")
"""Options that may differ between the processes of one run."""


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  line = flags.read_command_line(argv, RunOptions, EXPERIMENTS, USAGE)
  options = line.options
  if options.list:
    rows = (
      (e.name, f"{e.minutes:2.0f} min", f"{e.summary} ({e.source})")
      for e in EXPERIMENTS
    )
    print(help_text.table(rows))
    return 0
  kept, every = options.keep_checkpoint_every, options.checkpoint_every
  if kept and every and kept % every:
    raise UsageError(
      f"--keep_checkpoint_every={kept} is no multiple of "
      f"--checkpoint_every={every}"
    )
  wanted = mesh.parse_mesh(options.mesh)
  cluster = multihost.find_cluster(
    options.coordinator_address,
    options.num_processes,
    options.process_id,
    options.distributed,
  )
  threads = options.threads
  if options.resume and not threads:
    threads = run_config.read_threads(Path(options.workdir))
  environment.set_threads(threads)
  with multihost.connected(cluster, wanted.num_devices):
    common = {
      name: value
      for name, value in dataclasses.asdict(options).items()
      if name not in _OPTIONS_THAT_MAY_DIFFER
    }
    multihost.refuse_others("flags", sorted(common.items()), line.settings)
    multihost.refuse_others("versions", environment.versions())
    exit_code = _train(line, wanted)
    return multihost.from_first(lambda: exit_code)


def _train(line: CommandLine[RunOptions], wanted: Wanted) -> int:
  """Trains what the command line asks for, and returns the exit code.

  Every process calls this; the exit code of process 0 counts.
  """
  options = line.options
  name, settings, seeds, resumes, is_complete = multihost.from_first(
    lambda: request.read_request(line)
  )
  if is_complete:
    workdir = Path(options.workdir)
    if multihost.is_first():
      run_report.write([workdir], workdir / results.REPORT)
      return _print_complete(workdir, len(seeds))
    return 0
  run = run_config.RunSettings(BY_NAME[name], settings, seeds)
  layout = multihost.in_all(
    lambda: mesh.choose_layout(options.platform, wanted, settings, len(seeds))
  )
  if options.refresh_data and isinstance(settings, ImageSettings):
    image_datasets.forget(settings.dataset)
  problem = trainer.build_problem(run, layout.devices, layout.axis)
  with contextlib.ExitStack() as stack:
    workdir = multihost.from_first(
      lambda: stack.enter_context(
        workdirs.claim_or_create(
          options.workdir, name, resumes, options.overwrite
        )
      )
    )
    interruption = stack.enter_context(
      signals.caught(
        "stopping when all is saved; a second signal stops at once"
      )
    )
    finished = trainer.train(
      [run],
      [workdir],
      lambda _: problem,
      layout.devices,
      trainer.Options(
        options.checkpoint_every or options.keep_checkpoint_every,
        checkpoints.Keeping(
          options.keep_checkpoints, options.keep_checkpoint_every
        ),
        allow_changed_data=options.allow_changed_data,
        stop_on_failure=options.on_failure == "stop",
        loggers=_loggers(options),
      ),
      resumes,
      interruption.requested,
      layout.axis,
    )
    # The other processes wait here while process 0 draws the figures.
    interruption.signal = int(multihost.of_all([interruption.signal]).max())
    if not multihost.is_first():
      return 0
    if finished is None:
      console.say(
        f"stopped at step {checkpoints.steps(workdir)[0]:,}; resume with: "
        f"{run_config.resume_command(workdir, options)}"
      )
      return interruption.exit_code()
    exit_code = _print_results(finished[0].summary, len(seeds))
    run_report.write([workdir], workdir / results.REPORT)
    print(f"written to {workdir}")
    return exit_code


def _print_complete(workdir: Path, num_seeds: int) -> int:
  """Says why there is nothing left to train, and returns the exit code."""
  summary = results.read_json(workdir / results.SUMMARY)
  steps = f"{summary['steps']:,}"
  if len(summary["failures"]) == num_seeds:
    console.say(
      f"error: all seeds of {workdir} have failed, and it stopped at step "
      f"{steps}; there is nothing to resume"
    )
    return FAILED_EXIT_CODE
  print(
    f"{workdir} has finished its {steps} steps; pass more --steps to train it "
    "for longer"
  )
  return 0


def _loggers(options: RunOptions) -> list[type[callbacks.Logger]]:
  """Lists the loggers that the options ask for."""
  chosen = []
  if options.tensorboard:
    chosen.append(tensorboard.TensorBoard)
  return chosen


def _print_results(summary: dict[str, Any], num_seeds: int) -> int:
  """Prints the results of a run, and returns the exit code."""
  console.print_summary(summary)
  seeds = "one seed" if num_seeds == 1 else f"each of {num_seeds} seeds"
  print(
    f"{console.speed(summary['steps_per_second'])} for {seeds} on "
    f"{summary['device']}"
  )
  if len(summary["failures"]) == num_seeds:
    first = min(
      (training.Failure(**each) for each in summary["failures"]),
      key=lambda failure: failure.step,
    )
    console.say(
      f"error: {'' if num_seeds == 1 else f'all {num_seeds} seeds failed; '}"
      f"seed {first.seed}: {monitor.describe(first)}; training stopped at step "
      f"{summary['steps']:,} of {summary['settings']['steps']:,}, and what was "
      "logged is kept"
    )
    return FAILED_EXIT_CODE
  if summary["steps"] < summary["settings"]["steps"]:
    console.say(
      f"error: stopped at step {summary['steps']:,}, as every seed has a "
      "warning; what was logged is kept"
    )
    return FAILED_EXIT_CODE
  return 0


if __name__ == "__main__":
  flags.main(run)
