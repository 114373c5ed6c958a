"""The experiment, settings and seeds of a run, and its settings.json."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.configs import registry
from experiments.configs.experiment import Experiment
from experiments.configs.fields import fields_of
from experiments.configs.settings import Settings
from experiments.errors import RunFolderError, SettingError
from experiments.run_folder import results, workdirs


class RunSettings(NamedTuple):
  """An experiment with its settings and seeds."""

  experiment: Experiment
  settings: Settings
  seeds: tuple[int, ...]

  def command(self, threads: int = 0) -> str:
    """Returns the command that trains this run again.

    `threads` is how many it trained with; 0 if that is unknown.
    """
    flags = [f"--experiment={self.experiment.name}"]
    flags += [
      f"--{field.name}={field.format(getattr(self.settings, field.name))}"
      for field in fields_of(type(self.settings))
      if getattr(self.settings, field.name)
      != getattr(self.experiment.settings, field.name)
    ]
    if self.seeds[0]:
      flags.append(f"--seed={self.seeds[0]}")
    if len(self.seeds) > 1:
      flags.append(f"--num_seeds={len(self.seeds)}")
    if threads:
      flags.append(f"--threads={threads}")
    return " ".join(["python -m experiments.run", *map(shlex.quote, flags)])


def new_run(
  name: str, values: Mapping[str, Any], seed: int, num_seeds: int
) -> RunSettings:
  """Makes the run of the experiment `name` with the settings `values` changed.

  Raises SettingError for an unknown name, a wrong value or wrong combination.
  """
  seeds = list_seeds(seed, num_seeds)
  experiment = registry.find_experiment(name)
  settings = registry.change_settings(experiment, experiment.settings, values)
  return RunSettings(experiment, settings, seeds)


def list_seeds(first: int, count: int) -> tuple[int, ...]:
  """Lists the seeds first, first + 1, ...; raises SettingError beyond 2^32."""
  if first + count > 2**32:
    raise SettingError(
      f"--seed={first} with --num_seeds={count} leaves the range of seeds, 0 "
      f"to {2**32 - 1}"
    )
  return tuple(range(first, first + count))


def resume_command(workdir: Path, options: Any = None) -> str:
  """Returns the command that resumes a run, on any devices by default.

  With the `options` of the command that trained it, the devices and loggers are
  the same.
  """
  flags = ["--resume", f"--workdir={shlex.quote(str(workdir))}"]
  if options is not None:
    flags += [
      f"--{name}={getattr(options, name)}"
      for name in ("platform", "mesh", "coordinator_address", "num_processes")
      if getattr(options, name) != getattr(type(options), name)
    ]
    if options.tensorboard:
      flags.append("--tensorboard")
    if options.distributed:
      flags.append("--distributed")
    if options.num_processes:
      flags.append(f"--process_id={options.process_id}")
  return " ".join(["python -m experiments.run", *flags])


def write_settings(
  workdir: Path,
  run: RunSettings,
  machine: Mapping[str, Any],
  data_record: Mapping[str, Any],
  protocol: Mapping[str, Any],
) -> None:
  """Writes settings.json.

  `machine` is what `environment.describe` returns, and `data_record` and
  `protocol` are those of `Problem`.
  """
  results.write_json(
    workdir / results.SETTINGS,
    {
      "experiment": run.experiment.name,
      "settings": dataclasses.asdict(run.settings),
      "seeds": list(run.seeds),
      **({"data": dict(data_record)} if data_record else {}),
      **({"protocol": dict(protocol)} if protocol else {}),
      **machine,
    },
  )


def read_settings(workdir: Path) -> RunSettings:
  """Reads settings.json, or raises RunFolderError if this version cannot."""
  if not workdir.is_dir():
    raise RunFolderError(workdirs.missing(workdir))
  if (workdir / results.PLAN).exists():
    raise RunFolderError(
      f"{workdir} is the folder of a sweep, whose page is "
      f"{workdir / results.REPORT}; name one of its trials, which are in "
      f"{workdir / results.TRIALS}"
    )
  content = results.read_json(workdir / results.SETTINGS)
  name, seeds = content.get("experiment"), content.get("seeds")
  values = content.get("settings")
  if not isinstance(name, str) or name not in registry.BY_NAME:
    raise RunFolderError(f"{workdir} is not the run of a known experiment")
  if (
    not isinstance(seeds, list)
    or not seeds
    or not all(isinstance(seed, int) for seed in seeds)
    or not isinstance(values, dict)
  ):
    raise RunFolderError(f"{workdir}, whose {results.SETTINGS} is damaged")
  experiment = registry.BY_NAME[name]
  try:
    settings = type(experiment.settings)(**with_tuples(values))
    settings.check()
  except (TypeError, SettingError) as error:
    raise RunFolderError(
      f"{workdir}, whose {results.SETTINGS} is damaged or of another version "
      f"of {name}: {error}"
    ) from error
  return RunSettings(experiment, settings, tuple(seeds))


def read_threads(workdir: Path) -> int:
  """Returns the number of threads that a run began with; 0 if none is known.

  Raises RunFolderError if settings.json is damaged.
  """
  path = workdir / results.SETTINGS
  threads = results.read_json(path).get("threads", 0) if path.exists() else 0
  if not isinstance(threads, int) or threads < 0:
    raise RunFolderError(f"{workdir}, whose {results.SETTINGS} is damaged")
  return threads


def with_tuples(values: Mapping[Any, Any]) -> dict[Any, Any]:
  """Turns lists into tuples, which JSON does not have."""
  return {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in values.items()
  }
