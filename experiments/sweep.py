"""Trains a grid of settings: `python -m experiments.sweep --grid='a=1,2'`."""

import dataclasses
import math
from pathlib import Path

from experiments.cli import console, flags, signals
from experiments.cli.flags import CommandLine
from experiments.configs.fields import setting
from experiments.configs.registry import EXPERIMENTS
from experiments.errors import SettingError, UsageError
from experiments.run_folder import workdirs
from experiments.sweeps import (
  conclude,
  display,
  engines,
  folders,
  search_space,
  time_estimate,
  worker_process,
)
from experiments.sweeps import plan as plans
from experiments.sweeps.engines import EngineOptions, local
from experiments.sweeps.plan import MANY_TRIALS, Plan, PlanOptions
from experiments.training import run_config

USAGE = """\
python -m experiments.sweep --experiment=NAME --grid='SETTING=VALUE,...;...'
  [--random='SETTING=log:LOW:HIGH;...' --trials=N] [--SETTING=VALUE ...]

Trains an experiment with every combination of values, each for all seeds, and
ranks the combinations by the mean of their final scores. Combinations that
differ only in numeric settings train together in one compiled program. The
same command, or --workdir=DIR alone, resumes a sweep."""

FAILED_EXIT_CODE = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepOptions:
  """The flags of this command that are not settings of an experiment."""

  experiment: str = setting(
    "normal",
    "experiment to train, or several separated by commas, each with its "
    "defaults; experiments.run --list shows them all",
    heading="What to train",
  )
  preset: str = setting(
    "",
    "other values of the experiment's settings, which flags may change again; "
    "with --experiment this help shows its presets",
  )
  grid: str = setting(
    "",
    "settings and their values, 'a=1,2;b=x,y'; every combination is a trial; "
    "values that contain commas need parentheses",
  )
  random: str = setting(
    "",
    "settings to draw at random, 'a=log:1e-5:1e-2;b=uniform:0:1;c=x,y'; each "
    "draw is combined with the whole grid",
  )
  trials: int = setting(
    0, "number of draws of --random", minimum=0, maximum=10**7
  )
  seed: int = setting(
    0,
    "first seed of each trial, and the seed of the random draws",
    minimum=0,
    maximum=2**32 - 1,
  )
  num_seeds: int = setting(
    1,
    "number of seeds of each trial: seed, seed + 1, ...",
    minimum=1,
    maximum=65536,
  )
  workdir: str = setting(
    "",
    "sweep folder to write to; by default the next free runs/sweep-NAME-NNN",
    is_path=True,
    heading="Sweep folder",
  )
  overwrite: bool = setting(False, "replace an existing sweep")
  dry_run: bool = setting(
    False,
    "print the trials, programs and estimated time, and write nothing",
    heading="Plan",
  )
  plan_only: bool = setting(
    False,
    "write plan.json and the trials' folders, and train nothing; for job "
    "arrays",
  )
  yes: bool = setting(False, f"allow more than {MANY_TRIALS:,} trials")
  skip_invalid: bool = setting(
    False, "skip invalid combinations instead of refusing the sweep"
  )
  engine: str = setting(
    "local",
    "engine that trains the programs: local uses processes of this machine, "
    "ray uses tasks of a Ray cluster, which share the storage of --workdir",
    heading="Programs and devices",
  )
  address: str = setting(
    "",
    "HOST:PORT of a Ray cluster; auto finds one that is running on this "
    "machine; leave it out to start a local Ray",
  )
  max_parallel: int = setting(
    0,
    "largest number of programs to train at a time; 0 is as many as fit",
    minimum=0,
  )
  max_members: int = setting(
    0,
    "largest number of seeds in one program, over all its trials; 0 is all "
    "that differ only in numbers, in batches that fit into memory",
    minimum=0,
  )
  pictures: bool = setting(
    False,
    "draw the figures and the animation of each trial, as experiments.run does",
  )
  checkpoint_every: int = setting(
    0, "steps between checkpoints; 0 saves about one a minute", minimum=0
  )
  platform: str = setting(
    "auto",
    "platform to train on; auto is JAX's first choice",
    choices=flags.PLATFORMS,
  )
  threads: int = setting(
    0,
    "threads of each program on a CPU, on which the last bits of all numbers "
    "depend; 0 is one for each core that the program gets",
    minimum=0,
    maximum=flags.MAX_THREADS,
  )
  program: int = setting(
    -1,
    "train only this program of the plan in --workdir and rank nothing (for "
    "schedulers); -1 is all programs",
    minimum=-1,
  )
  started_by: int = setting(
    0, "id of a process whose end stops the --program; 0 is none", minimum=0
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  line = flags.read_command_line(argv, SweepOptions, EXPERIMENTS, USAGE)
  options = line.options
  if options.program >= 0:
    return _train_program(line)
  plan, resumes = _plan(line)
  machines = EngineOptions(
    options.engine, options.address, options.platform, options.max_parallel
  )
  engines.check(machines)
  if options.dry_run:
    _print_plan(plan, options)
    return 0
  with (
    folders.claimed(
      options.workdir, plan.base.experiment.name, resumes, options.overwrite
    ) as folder,
    signals.caught(
      "stopping when all is saved; a second signal stops at once"
    ) as interruption,
  ):
    if not resumes:
      plans.write_plan(plan, folder)
    programs = plan.unfinished_programs(folder)
    if options.plan_only and programs:
      _print_programs(plan, folder, programs)
      return 0
    program_flags = [
      f"--platform={options.platform}",
      f"--threads={options.threads}",
      f"--checkpoint_every={options.checkpoint_every}",
      f"--pictures={str(options.pictures).lower()}",
    ]
    with display.progress_bar(plan, folder) as watched:
      lost = engines.train_programs(
        machines,
        folder,
        programs,
        program_flags,
        watched,
        interruption.requested,
      )
    if interruption.requested():
      console.say(f"stopped; resume with: {plans.resume_command(folder)}")
      return interruption.exit_code()
  for program, reason in lost.items():
    console.say(f"error: program {program} could not train: {reason}")
  if plan.unfinished_programs(folder):
    num_left = sum(
      not plan.is_done(folder, index) for index in range(len(plan.trials))
    )
    console.say(
      f"{num_left:,} of {len(plan.trials):,} trials are missing; resume with: "
      f"{plans.resume_command(folder)}"
    )
    return FAILED_EXIT_CODE
  return conclude.conclude(plan, folder)


def _print_plan(plan: Plan, options: SweepOptions) -> None:
  """Prints what a sweep would train, and about how long that takes."""
  display.print_plan(plan)
  if options.address:
    print(f"each program is a task of the Ray cluster at {options.address}")
    return
  slots = local.slots(
    options.platform, options.max_parallel, len(plan.programs)
  )
  time_estimate.print_time(plan, options.platform, len(slots))


def _print_programs(plan: Plan, folder: Path, programs: list[int]) -> None:
  """Prints which programs a job array has to train."""
  indices = ",".join(map(str, programs))
  if len(programs) == len(plan.programs) > 1:
    indices = f"0-{len(programs) - 1}"
  print(f"programs to train in {folder}: --array={indices}")


def _train_program(line: CommandLine[SweepOptions]) -> int:
  """Trains one program of a plan."""
  options = line.options
  if not options.workdir:
    raise UsageError("--program needs --workdir, the folder of its sweep")
  if line.settings or "grid" in line.named or "random" in line.named:
    raise UsageError("--program trains what is planned; name no settings")
  return worker_process.train_program(
    Path(options.workdir),
    options.program,
    options.platform,
    options.threads,
    options.checkpoint_every,
    options.pictures,
    options.started_by,
  )


def _plan(line: CommandLine[SweepOptions]) -> tuple[Plan, bool]:
  """Returns the plan, and whether a sweep in --workdir resumes."""
  options = line.options
  folder = Path(options.workdir)
  resumes = (
    bool(options.workdir)
    and not options.overwrite
    and (folder / plans.PLAN).exists()
  )
  is_described = line.settings or {
    "experiment",
    "grid",
    "random",
    "trials",
    "seed",
    "num_seeds",
  } & set(line.named)
  varies = options.grid or options.random or "," in options.experiment
  if resumes and not is_described:
    return plans.read_plan(folder), True
  if resumes and not varies:
    raise UsageError(
      f"{folder} has a sweep, which cannot change: --workdir alone resumes "
      "it, and another grid needs another folder"
    )
  if not varies:
    if options.workdir and not is_described:
      reason = f"there is no sweep in {folder} to resume"
      if not folder.is_dir():
        reason = workdirs.missing(folder)
      raise UsageError(
        f"{reason}; to start a sweep, name what to vary: "
        "--grid='SETTING=VALUE,VALUE'"
      )
    raise UsageError(
      "name what to vary: --grid='SETTING=VALUE,VALUE' or "
      "--random='SETTING=log:LOW:HIGH' with --trials=N"
    )
  plan = _made(line)
  if resumes:
    found = plans.read_plan(folder)
    difference = plans.plan_difference(found, plan)
    if difference:
      raise SettingError(
        f"{folder} has another sweep, {difference}; choose another --workdir, "
        "pass --overwrite to replace it, or resume it by --workdir alone"
      )
    return found, True
  return plan, False


def _made(line: CommandLine[SweepOptions]) -> Plan:
  """Plans what a command line asks for."""
  options = line.options
  names = tuple(name.strip() for name in options.experiment.split(","))
  run = run_config.new_run(
    names[0], line.settings, options.seed, options.num_seeds
  )
  if bool(options.random) != bool(options.trials):
    raise UsageError("--random and --trials go together: what, and how often")
  axes = ()
  if len(names) > 1:
    axes = (search_space.read_experiments(names),)
  if options.grid:
    axes += search_space.read_grid(options.grid, run.settings)
  count = math.prod(len(axis.values) for axis in axes) * (options.trials or 1)
  if count > MANY_TRIALS and not options.yes:
    raise UsageError(
      f"that is {count:,} trials; more than {MANY_TRIALS:,} need --yes"
    )
  drawn = ()
  if options.random:
    drawn = search_space.draw_points(
      options.random, options.trials, options.seed, run.settings
    )
  varied = {axis.name for axis in axes} | set(drawn[0] if drawn else ())
  for name in varied & set(line.settings):
    raise UsageError(f"--{name} is both given and varied; choose one")
  if axes and drawn and not {axis.name for axis in axes}.isdisjoint(drawn[0]):
    raise UsageError("a setting is both in --grid and in --random; choose one")
  points = search_space.crossed(axes, drawn)
  plan = plans.make_plan(
    run,
    line.settings,
    axes,
    points,
    PlanOptions(options.random, options.trials, options.max_members),
    options.skip_invalid,
  )
  repeated = len(points) - plan.left_out - len(plan.trials)
  if repeated:
    console.say(
      f"{repeated:,} of {len(points):,} points were drawn before, so there are "
      f"{len(plan.trials):,} trials"
    )
  return plan


if __name__ == "__main__":
  flags.main(run)
