"""Redraws and checks published figures: `python -m experiments.figures`."""

import contextlib
import dataclasses
import shlex
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.cli import console, flags, help_text, signals
from experiments.configs.fields import fields_of, setting
from experiments.configs.hints import near_names, suggestion
from experiments.devices import environment
from experiments.errors import UsageError
from experiments.reproduce.common import trained_runs
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
)
from experiments.reproduce.common.kept_parts import KeptParts
from experiments.reproduce.common.trained_runs import TrainedRun
from experiments.reproduce.registry import BY_ID, REPRODUCTIONS
from experiments.run_folder import results

USAGE = """\
python -m experiments.figures --figure=ID[,ID...] | --figure=all | --list

Redraws figures and tables of the literature and checks their numbers. Each
figure writes ID.png (ID.pdf or ID.svg with --figure_format), ID.gif if it is
animated, and ID.json with its checks: measured value, expected value and the
origin of the expectation. A figure that needs trained networks loads finished
runs from --runs, resumes unfinished ones and trains the missing ones; --full
trains for as long as the publication, --published_settings at its settings.
`all` leaves out figures that take many minutes; name them to draw them. The
exit code is 1 if a check fails."""

ALL = "all"
FAILED_CHECK_EXIT_CODE = 1
MAX_SEEDS = 1000
"""No figure trains more seeds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FiguresOptions:
  """The flags of this command."""

  figure: str = setting(
    "",
    "ids of the figures to draw, separated by commas, or all",
    heading="Figures",
  )
  list: bool = setting(False, "print the figures and exit")
  out: str = setting(
    "figures", "folder to write the figures and checks to", is_path=True
  )
  figure_format: str = setting(
    "png",
    "format of the pictures; animations are GIF in any case",
    choices=("png", "pdf", "svg"),
  )
  overwrite: bool = setting(False, "replace existing figures and checks")
  full: bool = setting(
    False,
    "train as long as the publication, if the figure trains less",
    heading="Trainings",
  )
  published_settings: bool = setting(
    False,
    "train at the settings of the publication or of its authors' code",
  )
  runs: str = setting(
    "",
    "folder of the run folders to read; new run folders go there too; by "
    "default the folder runs in --out",
    is_path=True,
  )
  seed: int = setting(
    0,
    "the first seed of every training",
    minimum=0,
    maximum=2**32 - 1 - MAX_SEEDS,
  )
  platform: str = setting(
    "auto",
    "platform to train on; auto is JAX's first choice",
    choices=flags.PLATFORMS,
  )
  threads: int = setting(
    2,
    "threads to compute with on a CPU, on which the last bits of all numbers "
    "depend",
    minimum=1,
    maximum=flags.MAX_THREADS,
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  line = flags.read_command_line(
    argv, FiguresOptions, (), USAGE, takes_arguments=True
  )
  if line.arguments:
    near = near_names(line.arguments[0], (*BY_ID, ALL))[:1]
    raise UsageError(
      f"unexpected argument {line.arguments[0]!r}; "
      f"did you mean --figure={near[0] if near else 'ID'}?"
    )
  options = line.options
  if options.list:
    print(_list())
    return 0
  reproductions = _choose(options.figure)
  if options.full:
    reproductions = [
      _with_full_trainings(reproduction) for reproduction in reproductions
    ]
  if options.published_settings:
    reproductions = [
      _at_published_settings(reproduction) for reproduction in reproductions
    ]
  environment.set_threads(options.threads)
  devices = environment.choose_devices(options.platform, MAX_SEEDS)
  out = Path(options.out)
  parent = Path(options.runs or out / "runs")
  _check_writable("out", out)
  if any(each.trainings or each.long for each in reproductions):
    _check_writable("runs", parent)
  _check_free(out, reproductions, options)
  machine = environment.describe(devices)
  records = []
  with signals.caught(
    "stopping when all is saved; a second signal stops at once"
  ) as interruption:
    for number, reproduction in enumerate(reproductions, start=1):
      console.say(f"[{number}/{len(reproductions)}] {reproduction.id}")
      started = time.perf_counter()
      try:
        runs = {
          name: trained_runs.load_or_train(
            training, options.seed, parent, devices, interruption.requested
          )
          for name, training in reproduction.trainings.items()
        }
        inputs = Inputs(
          {name: run.results for name, run in runs.items()},
          options.seed,
          KeptParts(parent / reproduction.id, interruption.requested),
        )
        computed = reproduction.compute(inputs)
      except KeyboardInterrupt:
        break
      record = _write_figure(
        reproduction,
        runs,
        computed,
        options.seed,
        machine,
        out,
        options.figure_format,
        started,
      )
      console.print_failed_checks(record)
      records.append(record)
      if interruption.requested():
        break
  if len(records) < len(reproductions):
    rest = _remaining_flags(options, len(records))
    console.say(f"stopped; resume with: python -m experiments.figures {rest}")
    return interruption.exit_code()
  console.print_records(records)
  print(f"written to {out}")
  failed = any(not record["passed"] for record in records)
  return FAILED_CHECK_EXIT_CODE if failed else 0


def _list() -> str:
  """Lists the figures by source, each with its time on two CPU cores."""
  width = max(len(each.id) for each in REPRODUCTIONS)
  groups: dict[str, list[tuple[str, str, str]]] = {}
  for each in REPRODUCTIONS:
    name, *parts = each.source.split(", ")
    if parts and parts[0].startswith("arXiv"):
      name += f", {parts.pop(0)}"
    minutes = f"{each.minutes:.0f} min" if each.minutes >= 1 else "seconds"
    text = f"{each.summary} ({', '.join(parts)})" if parts else each.summary
    groups.setdefault(name, []).append(
      (f"{each.id:{width}}", f"{minutes:7}", text)
    )
  return "\n\n".join(
    f"{name}\n{help_text.table(rows)}" for name, rows in groups.items()
  )


def _choose(ids: str) -> list[Reproduction]:
  """Returns the reproductions that `--figure` names, each once."""
  names = [name.strip() for name in ids.split(",") if name.strip()]
  if not names:
    raise UsageError(
      f"--figure is missing; give ids, or {ALL}; --list shows them"
    )
  for name in names:
    if name not in BY_ID and name != ALL:
      hint = suggestion(name, (*BY_ID, ALL))
      raise UsageError(f"unknown figure {name!r}; {hint}--list shows them all")
  # Figures without training come first because they take seconds.
  if ALL in names:
    left_out = [
      each.id for each in REPRODUCTIONS if each.long and each.id not in names
    ]
    console.say(f"left out because they take long: {','.join(left_out)}")
    return sorted(
      [each for each in REPRODUCTIONS if each.id not in left_out],
      key=lambda reproduction: reproduction.trained,
    )
  return [BY_ID[name] for name in dict.fromkeys(names)]


def _with_full_trainings(reproduction: Reproduction) -> Reproduction:
  """Replaces the trainings of a figure by those of the publication's length."""
  if not reproduction.full_trainings:
    able = ", ".join(each.id for each in REPRODUCTIONS if each.full_trainings)
    raise UsageError(
      f"--full has no effect on {reproduction.id}; it is for {able}"
    )
  return reproduction._replace(trainings=reproduction.full_trainings)


def _at_published_settings(reproduction: Reproduction) -> Reproduction:
  """Replaces a figure by the one at the settings of its publication."""
  if reproduction.published is None:
    able = ", ".join(each.id for each in REPRODUCTIONS if each.published)
    raise UsageError(
      f"--published_settings has no effect on {reproduction.id}; it is for "
      f"{able}"
    )
  return reproduction.published


def _files(
  reproduction: Reproduction, out: Path, figure_format: str
) -> list[Path]:
  """Lists the files that a figure writes, the record first."""
  suffixes = ["json", figure_format] + (["gif"] if reproduction.animate else [])
  return [out / f"{reproduction.id}.{suffix}" for suffix in suffixes]


def _check_writable(flag: str, folder: Path) -> None:
  """Creates a folder; raises UsageError if it is not writable."""
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      pass
  except OSError as error:
    raise UsageError(
      f"--{flag}={folder} cannot be written to: {error.strerror or error}"
    ) from error


def _check_free(
  out: Path, reproductions: Iterable[Reproduction], options: FiguresOptions
) -> None:
  """Raises UsageError if a file exists that may not be replaced."""
  for reproduction in reproductions:
    for path in _files(reproduction, out, options.figure_format):
      if path.is_dir():
        raise UsageError(f"{path} is a folder; choose another --out")
      if (path.exists() or path.is_symlink()) and not options.overwrite:
        raise UsageError(
          f"{path} exists; choose another --out or pass --overwrite"
        )


def _remaining_flags(options: FiguresOptions, num_done: int) -> str:
  """Returns the flags that draw the figures an interrupted command missed."""
  rest = _choose(options.figure)[num_done:]
  options = dataclasses.replace(
    options, figure=",".join(each.id for each in rest)
  )
  return " ".join(
    f"--{field.name}={shlex.quote(field.format(getattr(options, field.name)))}"
    for field in fields_of(FiguresOptions)
    if getattr(options, field.name) != field.default
  )


def _write_figure(
  reproduction: Reproduction,
  runs: Mapping[str, TrainedRun],
  computed: Computed,
  seed: int,
  machine: Mapping[str, Any],
  out: Path,
  figure_format: str,
  started: float,
) -> dict[str, Any]:
  """Draws a figure; writes and returns the record of its checks."""
  record = {
    "id": reproduction.id,
    "source": reproduction.source,
    "summary": reproduction.summary,
    "seed": seed,
    "checks": [check.record() for check in computed.checks],
    "passed": all(check.passed is not False for check in computed.checks),
    "runs": {name: run.provenance() for name, run in runs.items()},
    **machine,
  }
  with contextlib.ExitStack() as stack:
    # The files replace older ones only when all are complete, the record last.
    content, picture, *animation = [
      stack.enter_context(results.replacing(path))
      for path in _files(reproduction, out, figure_format)
    ]
    results.save_figure(reproduction.draw(computed.drawn), picture)
    if reproduction.animate:
      results.write_gif(animation[0], reproduction.animate(computed.drawn))
    record["seconds"] = round(time.perf_counter() - started, 1)
    results.write_json(content, record)
  return record


if __name__ == "__main__":
  flags.main(run)
