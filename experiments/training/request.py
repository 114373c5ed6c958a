"""Reads which run a command line asks for: a new one, or one that resumes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.cli.flags import CommandLine
from experiments.configs import registry
from experiments.configs.fields import fields_of
from experiments.configs.settings import Settings
from experiments.errors import SettingError, UsageError
from experiments.run_folder import results, workdirs
from experiments.training import run_config
from experiments.training.run_config import RunSettings

MAY_CHANGE = (
  "steps",
  "log_every",
  "evaluate_every",
  "data_dir",
  "inception_weights",
)
"""Settings that say how far to train, when to look, and where files are."""


class Request(NamedTuple):
  """The run that a command line asks for.

  Attributes:
    name: name of the experiment.
    settings: settings of the run.
    seeds: seeds of the run.
    resumes: whether the run is there already and resumes.
    is_complete: whether it has nothing left to train.
  """

  name: str
  settings: Settings
  seeds: tuple[int, ...]
  resumes: bool
  is_complete: bool


def read_request(line: CommandLine[Any]) -> Request:
  """Reads which run a command line of `experiments.run` asks for.

  Raises UsageError, SettingError or RunFolderError if there can be no such run.
  """
  options = line.options
  folder = Path(options.workdir)
  resumes = False
  if options.resume:
    if not options.workdir:
      raise UsageError("--resume needs --workdir, the run folder to resume")
    if options.overwrite:
      raise UsageError(
        "--resume keeps what --overwrite would remove; choose one"
      )
    resumes = not workdirs.is_empty(folder)
    if not resumes and "experiment" not in line.named:
      reason = f"there is no run in {folder} to resume"
      if not folder.is_dir():
        reason = workdirs.missing(folder)
      raise UsageError(f"{reason}; to start a run, name its --experiment")
  if resumes:
    run = _resumed_run(line, folder)
  else:
    run = run_config.new_run(
      options.experiment, line.settings, options.seed, options.num_seeds
    )
    if options.workdir:
      # Checked before images are decoded and a classifier is trained.
      workdirs.refuse(folder, options.overwrite)
  is_complete = resumes and _is_complete(folder, run)
  return Request(
    run.experiment.name, run.settings, run.seeds, resumes, is_complete
  )


def _resumed_run(line: CommandLine[Any], folder: Path) -> RunSettings:
  """Returns the run of a folder with the changes of the command line.

  Raises SettingError, which names the difference, if this is another run.
  """
  options, named = line.options, line.named
  found = run_config.read_settings(folder)
  if "experiment" in named and options.experiment != found.experiment.name:
    raise _cannot_change(
      found.settings, "experiment", found.experiment.name, options.experiment
    )
  seeds = run_config.list_seeds(
    options.seed if "seed" in named else found.seeds[0],
    options.num_seeds if "num_seeds" in named else len(found.seeds),
  )
  if seeds != found.seeds:
    raise SettingError(
      "--resume cannot change the seeds: they are "
      f"{_seed_range(found.seeds)}, not {_seed_range(seeds)}"
    )
  threads = run_config.read_threads(folder)
  if threads and options.threads not in (0, threads):
    raise _cannot_change(found.settings, "threads", threads, options.threads)
  settings = registry.change_settings(
    found.experiment, found.settings, line.settings
  )
  for field in fields_of(type(settings)):
    before = getattr(found.settings, field.name)
    after = getattr(settings, field.name)
    if before != after and field.name not in MAY_CHANGE:
      raise _cannot_change(
        settings, field.name, field.format(before), field.format(after)
      )
  return found._replace(settings=settings)


def _seed_range(seeds: Sequence[int]) -> str:
  first, last = seeds[0], seeds[-1]
  return str(first) if first == last else f"{first} to {last}"


def _cannot_change(
  settings: Settings, name: str, old: Any, new: Any
) -> SettingError:
  allowed = [f"--{each}" for each in MAY_CHANGE if hasattr(settings, each)]
  return SettingError(
    f"--resume cannot change --{name} from {old} to {new}, which would be "
    f"another run; it can change {', '.join(allowed)}"
  )


def _is_complete(workdir: Path, run: RunSettings) -> bool:
  """Tells whether a run has taken all its steps, or all its seeds failed."""
  if not results.is_finished(workdir):
    return False
  summary = results.read_json(workdir / results.SUMMARY)
  all_failed = len(summary.get("failures", ())) == len(run.seeds)
  return all_failed or summary.get("steps", 0) >= run.settings.steps
