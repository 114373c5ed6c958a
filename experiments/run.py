"""Trains one experiment: `python -m experiments.run --experiment=ring`."""

import contextlib
import dataclasses
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.cli import console, signals
from experiments.cli import flags as command_line
from experiments.cli.flags import CommandLine, UsageError
from experiments.configs.fields import setting, unknown
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.configs.settings import Settings, with_values
from experiments.devices import environment, multihost
from experiments.devices import mesh as layouts
from experiments.devices.mesh import Layout
from experiments.devices.multihost import Cluster
from experiments.reports import run_report
from experiments.run_folder import results, workdirs
from experiments.training import (
  checkpoints,
  monitor,
  run_config,
  trainer,
)
from experiments.training.resume import changed_settings
from experiments.training.run_config import RunSettings
from gan_jax import training
from gan_jax.training import Failure

USAGE = """\
python -m experiments.run --experiment=NAME [--SETTING=VALUE ...]

Trains a game for one seed or a population of seeds and leaves a run folder with
metrics, a score, pictures and an animation. With --experiment, this help shows
the settings and defaults of that experiment alone.

python -m experiments.run --resume --workdir=DIR [--steps=MORE]

Goes on with a run that was stopped or killed, as if it had not been, or trains
a finished one for longer."""

FAILED_EXIT_CODE = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
  """The flags of this command that are no settings of an experiment."""

  experiment: str = setting("normal", "what to train")
  list: bool = setting(False, "print the experiments and exit")
  seed: int = setting(
    0, "seed of the first member", minimum=0, maximum=2**32 - 1
  )
  num_seeds: int = setting(
    1,
    "members to train side by side: seed, seed + 1, ...",
    minimum=1,
    maximum=65536,
  )
  workdir: str = setting(
    "", "the run folder; the next free runs/NAME-NNN where none is named"
  )
  overwrite: bool = setting(False, "replace a run folder that is there")
  resume: bool = setting(
    False,
    "go on with the run in --workdir where its newest whole checkpoint is; "
    "begin it if there is none",
  )
  checkpoint_every: int = setting(
    0, "steps between checkpoints; 0 is about one a minute", minimum=0
  )
  keep_checkpoints: int = setting(
    3,
    "newest checkpoints that are kept, beside the newest without a failure",
    minimum=1,
  )
  keep_checkpoint_every: int = setting(
    0,
    "steps, a multiple of checkpoint_every, whose checkpoints stay; 0 is none",
    minimum=0,
  )
  tensorboard: bool = setting(False, "write event files for TensorBoard too")
  on_failure: str = setting(
    "continue",
    "whether to stop once every seed has failed, exploded, collapsed or "
    "saturated, or to continue while a seed has finite numbers",
    choices=("continue", "stop"),
  )
  platform: str = setting(
    "auto",
    "where to train; auto is JAX's first choice",
    choices=environment.PLATFORMS,
  )
  mesh: str = setting(
    layouts.AUTO,
    "devices that train: members:N divide the seeds among them, data:N each "
    "batch; auto divides seeds among as many devices as there are",
  )
  coordinator_address: str = setting(
    "",
    "HOST:PORT of process 0, where several processes train one run; each runs "
    "the same command but for its --process_id",
  )
  num_processes: int = setting(0, "how many they are", minimum=0)
  process_id: int = setting(
    -1, "which of them this one is: 0, 1, ...", minimum=-1
  )
  distributed: bool = setting(
    False,
    "train with the other processes that Slurm, Open MPI or a TPU has started; "
    "JAX finds them",
  )


_OPTIONS_OF_ONE_PROCESS = ("process_id", "workdir")
"""Options that may differ between the processes of one run."""


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  line = command_line.read(argv, RunOptions, EXPERIMENTS, USAGE)
  options = line.options
  if options.list:
    console.print_experiments(EXPERIMENTS)
    return 0
  _check_intervals(options)
  wanted = layouts.parse_mesh(options.mesh)
  cluster = _cluster(options)
  if cluster is None:
    return _run(line, wanted)
  environment.configure(wanted.num_devices or environment.num_cores())
  with multihost.connected(cluster):
    common = {
      name: value
      for name, value in dataclasses.asdict(options).items()
      if name not in _OPTIONS_OF_ONE_PROCESS
    }
    multihost.refuse_others("flags", sorted(common.items()), line.settings)
    multihost.refuse_others("versions", multihost.versions())
    exit_code = _run(line, wanted)
    return multihost.from_first(lambda: exit_code)


def _cluster(options: RunOptions) -> Cluster | None:
  """Returns how to find the other processes; None if there are none."""
  address, num_processes = options.coordinator_address, options.num_processes
  if options.distributed:
    if address or num_processes or options.process_id >= 0:
      raise UsageError(
        "--distributed lets JAX find what --coordinator_address, "
        "--num_processes and --process_id say; give either"
      )
    return Cluster()
  if not address and not num_processes and options.process_id < 0:
    return None
  host, _, port = address.rpartition(":")
  if not host or not port.isdecimal():
    raise UsageError(
      f"--coordinator_address={address} is not allowed; several processes need "
      "the HOST:PORT of process 0"
    )
  if not 0 <= options.process_id < num_processes:
    raise UsageError(
      f"--process_id={options.process_id} is none of "
      f"--num_processes={num_processes}; they are 0, 1, ..."
    )
  return Cluster(address, num_processes, options.process_id)


def _run(line: CommandLine[RunOptions], wanted: layouts.Wanted) -> int:
  """Trains what a command line asks for, and returns the exit code.

  Every process calls this; what it returns counts in the first alone.
  """
  options = line.options
  resumes, name, settings, seeds = multihost.from_first(
    lambda: _asked_for(line)
  )
  chosen = RunSettings(BY_NAME[name], settings, seeds)
  layout = multihost.in_all(
    lambda: layouts.choose_layout(
      options.platform, wanted, settings, len(seeds)
    )
  )
  problem = trainer.build_problem(chosen, layout.devices, layout.axis)
  with contextlib.ExitStack() as stack:
    workdir = multihost.from_first(
      lambda: stack.enter_context(
        _claimed(options, resumes, chosen.experiment.name)
      )
    )
    if multihost.from_first(lambda: resumes and _is_finished(workdir, chosen)):
      if multihost.is_first():
        run_report.write([workdir], workdir / results.REPORT)
        print(f"{workdir} has finished; --steps trains it for longer")
      return 0
    return _trained(options, chosen, layout, problem, workdir, resumes)


def _asked_for(
  line: CommandLine[RunOptions],
) -> tuple[bool, str, Settings, tuple[int, ...]]:
  """Returns whether there is a run to go on with, and what to train."""
  options = line.options
  resumes = _resumes(options, line.named)
  chosen = _resumed(line) if resumes else _chosen(line)
  if options.workdir and not resumes:
    # Before images are decoded, and a classifier learns them.
    workdirs.refuse(Path(options.workdir), options.overwrite)
  return resumes, chosen.experiment.name, chosen.settings, chosen.seeds


def _resume_command(options: RunOptions, workdir: Path) -> str:
  """Writes the command that goes on with a run on the same devices."""
  flags = [
    f"--{name}={getattr(options, name)}"
    for name in ("platform", "mesh", "coordinator_address", "num_processes")
    if getattr(options, name) != getattr(RunOptions, name)
  ]
  if options.distributed:
    flags.append("--distributed")
  if options.num_processes:
    flags.append(f"--process_id={options.process_id}")
  return " ".join([run_config.resume_command(workdir), *flags])


def _trained(
  options: RunOptions,
  chosen: RunSettings,
  layout: Layout,
  problem: training.Problem,
  workdir: Path,
  resumes: bool,
) -> int:
  """Trains into a claimed run folder; returns the exit code."""
  with signals.caught(
    "stopping when this is saved; once more stops at once"
  ) as told:
    finished = trainer.train(
      [chosen],
      [workdir],
      lambda _: problem,
      layout.devices,
      trainer.Options(
        options.checkpoint_every or options.keep_checkpoint_every,
        checkpoints.Keeping(
          options.keep_checkpoints, options.keep_checkpoint_every
        ),
        options.on_failure == "stop",
        options.tensorboard,
      ),
      resumes,
      told.requested,
      layout.axis,
    )
    # The others wait here for the pictures of the first.
    told.signal = int(multihost.of_all([told.signal]).max())
  if not multihost.is_first():
    return 0
  if finished is None:
    step = checkpoints.steps(workdir)[0]
    console.say(
      f"stopped at step {step:,}; go on with: "
      f"{_resume_command(options, workdir)}"
    )
    return told.exit_code()
  run_report.write([workdir], workdir / results.REPORT)
  return _report(finished[0].summary, chosen.seeds, workdir)


def _chosen(line: CommandLine[RunOptions]) -> RunSettings:
  """Returns what a command line asks to train."""
  options = line.options
  if options.experiment not in BY_NAME:
    raise UsageError(unknown("experiment", options.experiment, BY_NAME))
  experiment = BY_NAME[options.experiment]
  command_line.refuse_foreign(line.settings, experiment)
  settings = with_values(experiment.settings, line.settings)
  return RunSettings(
    experiment, settings, run_config.seeds(options.seed, options.num_seeds)
  )


def _check_intervals(options: RunOptions) -> None:
  """Refuses to keep checkpoints of steps that have none."""
  kept, every = options.keep_checkpoint_every, options.checkpoint_every
  if kept and every and kept % every:
    raise UsageError(
      f"--keep_checkpoint_every={kept} is no multiple of "
      f"--checkpoint_every={every}"
    )


def _resumes(options: RunOptions, named: Collection[str]) -> bool:
  """Tells whether there is a run to go on with."""
  if not options.resume:
    return False
  if not options.workdir:
    raise UsageError("--resume needs --workdir, the run folder to go on with")
  if options.overwrite:
    raise UsageError("--resume keeps what --overwrite would remove; choose one")
  exists = not workdirs.is_empty(Path(options.workdir))
  if not exists and "experiment" not in named:
    raise UsageError(
      f"there is no run in {options.workdir} to go on with; to begin one, name "
      "its --experiment"
    )
  return exists


def _resumed(line: CommandLine[RunOptions]) -> RunSettings:
  """Returns the run of a folder, with what a command line may change."""
  options, named = line.options, line.named
  found = run_config.read_settings(Path(options.workdir))
  command_line.refuse_foreign(line.settings, found.experiment)
  seeds = run_config.seeds(
    options.seed if "seed" in named else found.seeds[0],
    options.num_seeds if "num_seeds" in named else len(found.seeds),
  )
  experiment = options.experiment if "experiment" in named else None
  return changed_settings(found, line.settings, experiment, seeds)


@contextlib.contextmanager
def _claimed(options: RunOptions, resumes: bool, name: str) -> Iterator[Path]:
  """Makes or takes the run folder; no other process may write to it."""
  if not options.workdir:
    with workdirs.create_numbered(workdirs.DEFAULT_PARENT, name) as workdir:
      yield workdir
    return
  workdir = Path(options.workdir)
  with (
    workdirs.claim(workdir)
    if resumes
    else workdirs.create(workdir, options.overwrite)
  ):
    yield workdir


def _is_finished(workdir: Path, chosen: RunSettings) -> bool:
  """Tells whether a run has taken all of its steps."""
  if not results.is_finished(workdir):
    return False
  summary = results.read_json(workdir / results.SUMMARY)
  all_failed = len(summary.get("failures", ())) == len(chosen.seeds)
  return all_failed or summary.get("steps", 0) >= chosen.settings.steps


def _report(
  summary: dict[str, Any], seeds: Sequence[int], workdir: Path
) -> int:
  """Prints what a run has come to; returns the exit code."""
  console.print_summary(summary)
  print(
    f"{summary['steps_per_second']:,.0f} steps/s for each of {len(seeds)} "
    f"{'seed' if len(seeds) == 1 else 'seeds'} on {summary['device']}"
  )
  print(f"written to {workdir}")
  if len(summary["failures"]) == len(seeds):
    first = Failure(**summary["failures"][0])
    console.say(
      f"error: seed {first.seed}: {monitor.describe(first)}; what was logged "
      f"is kept in {workdir}"
    )
    return FAILED_EXIT_CODE
  if summary["steps"] < summary["settings"]["steps"]:
    console.say(
      f"error: stopped at step {summary['steps']:,}, as every seed is in "
      f"trouble; what was logged is kept in {workdir}"
    )
    return FAILED_EXIT_CODE
  return 0


if __name__ == "__main__":
  command_line.main(run)
