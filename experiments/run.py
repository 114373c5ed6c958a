"""Trains one experiment: `python -m experiments.run --experiment=ring`."""

import dataclasses
from pathlib import Path

from experiments import (
  command_line,
  console,
  driver,
  environment,
  results,
  runner,
)
from experiments.fields import setting, unknown
from experiments.registry import BY_NAME, EXPERIMENTS
from experiments.settings import with_values

USAGE = """\
python -m experiments.run --experiment=NAME [--SETTING=VALUE ...]

Trains a game for one seed or a population of seeds and leaves a run folder with
metrics, a score, pictures and an animation. With --experiment, this help shows
the settings and defaults of that experiment alone."""

ALL_FAILED_EXIT_CODE = 1


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
  platform: str = setting(
    "auto",
    "where to train; auto is JAX's first choice",
    choices=environment.PLATFORMS,
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  options, given = command_line.read(argv, RunOptions, EXPERIMENTS, USAGE)
  if options.list:
    console.print_experiments(EXPERIMENTS)
    return 0
  if options.experiment not in BY_NAME:
    raise command_line.UsageError(
      unknown("experiment", options.experiment, BY_NAME)
    )
  experiment = BY_NAME[options.experiment]
  command_line.refuse_foreign(given, experiment)
  settings = with_values(experiment.settings, given)
  seeds = range(options.seed, options.seed + options.num_seeds)
  if seeds[-1] >= 2**32:
    raise command_line.UsageError(
      f"--seed={options.seed} with --num_seeds={options.num_seeds} leaves the "
      f"range of seeds, 0 to {2**32 - 1}"
    )
  devices = environment.choose_devices(options.platform, options.num_seeds)
  if options.workdir:
    # Before images are decoded, and a classifier learns them.
    results.refuse(Path(options.workdir), options.overwrite)
  problem = runner.prepare(experiment, settings, len(seeds), devices)
  workdir = _make_workdir(options, experiment.name)
  try:
    _, summary = runner.train(
      experiment, settings, problem, seeds, devices, workdir
    )
  except KeyboardInterrupt:
    console.say(f"interrupted; what was logged is kept in {workdir}")
    return command_line.INTERRUPTED_EXIT_CODE
  console.print_summary(summary)
  print(
    f"{summary['steps_per_second']:,.0f} steps/s for each of {len(seeds)} "
    f"{'seed' if len(seeds) == 1 else 'seeds'} on {summary['device']}"
  )
  print(f"written to {workdir}")
  if len(summary["failures"]) == len(seeds):
    first = console.describe_failure(driver.Failure(**summary["failures"][0]))
    console.say(f"error: {first}; what was logged is kept in {workdir}")
    return ALL_FAILED_EXIT_CODE
  return 0


def _make_workdir(options: RunOptions, name: str) -> Path:
  """Makes the run folder that was asked for, or the next free one."""
  if options.workdir:
    workdir = Path(options.workdir)
    results.create(workdir, options.overwrite)
    return workdir
  return results.create_numbered(results.DEFAULT_PARENT, name)


if __name__ == "__main__":
  command_line.main(run)
