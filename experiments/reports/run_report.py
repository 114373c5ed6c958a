"""One self-contained page of HTML about a run, or about several."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.cli import console
from experiments.configs.fields import fields_of
from experiments.plots import comparison
from experiments.reports import html
from experiments.run_folder import results
from experiments.run_folder.results import Results
from experiments.training import monitor, run_logs
from experiments.training import run_config as settings_files
from experiments.training.run_config import RunSettings

ABSENT = "-"


class Page(NamedTuple):
  """What is said of one run.

  Attributes:
    name: of its folder.
    summary: one sentence on what was trained.
    verdict: one sentence on how far it came.
    command: that trains it again.
    resume: the command that goes on with it; None if it has finished.
    troubles: events of `guard.KINDS`.
    metrics: name, final and best, as text.
    has_best: whether `best` is known.
    protocol: how metrics were measured.
    pictures: name and source of each.
    events: all of them.
    settings: name, value, whether it was changed, and help.
    environment: name and value.
    final: of `metrics`, the final text by name.
    values: of `settings`, the value by name.
    results: what curves are drawn from.
  """

  name: str
  summary: str
  verdict: str
  command: str
  resume: str | None
  troubles: list[dict[str, Any]]
  metrics: list[tuple[str, str, str]]
  has_best: bool
  protocol: list[tuple[str, Any]]
  pictures: list[tuple[str, str]]
  events: list[dict[str, Any]]
  settings: list[tuple[str, str, bool, str]]
  environment: list[tuple[str, str]]
  final: dict[str, str]
  values: dict[str, str]
  results: Results


def write(workdirs: Sequence[Path], out: Path) -> None:
  """Writes the page of one run folder, or the comparison of several.

  Args:
    workdirs: as of `render`.
    out: the file, which is replaced.

  Raises:
    RunFolderError: as `render` does.
  """
  page = render(workdirs)
  with results.replacing(out) as partial:
    partial.write_text(page)


def render(workdirs: Sequence[Path]) -> str:
  """Writes the page of one run folder, or the comparison of several.

  Args:
    workdirs: run folders, finished or not.

  Returns:
    HTML that refers to nothing outside of it.

  Raises:
    RunFolderError: if one of them is no run folder, or damaged.
  """
  gathered = []
  for workdir, name in zip(workdirs, _names(workdirs), strict=True):
    with results.reading(workdir):
      gathered.append(_page(workdir, name))
  compares = len(gathered) > 1
  drawn = {own.name: own.results for own in gathered if len(own.results.steps)}
  curves = None
  if compares and drawn:
    curves = html.source_of_figure(comparison.curves(drawn))
  return html.render(
    "report.html",
    title=f"{len(gathered)} runs compared" if compares else gathered[0].name,
    pages=gathered,
    rows=_side_by_side([own.final for own in gathered]),
    differences=[
      (name, cells)
      for name, cells in _side_by_side([own.values for own in gathered])
      if len(set(cells)) > 1
    ],
    curves=curves,
  )


def _names(workdirs: Sequence[Path]) -> list[str]:
  """Names each run by its folder, or by its path where others have that."""
  names = [workdir.resolve().name for workdir in workdirs]
  return [
    name if names.count(name) == 1 else str(workdir)
    for name, workdir in zip(names, workdirs, strict=True)
  ]


def _side_by_side(
  columns: Sequence[dict[str, str]],
) -> list[tuple[str, list[str]]]:
  """Lists what any column has, with what each one has."""
  names = list(dict.fromkeys(name for column in columns for name in column))
  return [
    (name, [column.get(name, ABSENT) for column in columns]) for name in names
  ]


def _page(workdir: Path, name: str) -> Page:
  """Gathers what is said of a run."""
  run = settings_files.read_settings(workdir)
  described = results.read_json(workdir / results.SETTINGS)
  events = run_logs.read_rows(workdir / results.EVENTS)
  finished = (workdir / results.SUMMARY).exists()
  summary = results.read_json(workdir / results.SUMMARY) if finished else None
  measured = results.read(workdir) if finished else _so_far(workdir, run)
  step = int(measured.steps[-1]) if len(measured.steps) else 0
  if not finished:
    name = f"{name} (step {step:,} of {run.settings.steps:,})"
  num_seeds = len(run.seeds)
  return Page(
    name=name,
    summary=(
      f"{run.experiment.name} ({run.experiment.source}): "
      f"{run.experiment.summary}; {num_seeds} "
      f"{'seed' if num_seeds == 1 else 'seeds'} from {run.seeds[0]}."
    ),
    verdict=_verdict(summary, step, run.settings.steps),
    command=run.command(),
    resume=None if finished else settings_files.resume_command(workdir),
    troubles=[own for own in events if own["kind"] in monitor.KINDS],
    metrics=(metrics := _metrics(measured, summary)),
    has_best=finished,
    protocol=list((summary or {}).get("protocol", {}).items()),
    pictures=pictures(workdir),
    events=events,
    settings=html.settings_rows(run),
    environment=[
      ("device", described["device"]),
      ("git commit", described["git_commit"] or "unknown"),
      *described["versions"].items(),
    ],
    final={name: final for name, final, _ in metrics},
    values={
      "experiment": run.experiment.name,
      "seeds": ", ".join(map(str, run.seeds)),
      **{
        field.name: field.format(getattr(run.settings, field.name))
        for field in fields_of(type(run.settings))
      },
    },
    results=measured,
  )


def _verdict(summary: dict[str, Any] | None, step: int, num_steps: int) -> str:
  """Says how far a run came."""
  if summary is None:
    return f"It has logged {step:,} of {num_steps:,} steps, and not finished."
  failed = len(summary["failures"])
  lost = f" {failed} of them failed." if failed else ""
  return (
    f"It took {summary['steps']:,} steps in {summary['wall_seconds']:,.0f} s, "
    f"at {summary['steps_per_second']:,.0f} steps/s.{lost}"
  )


def _so_far(workdir: Path, run: RunSettings) -> Results:
  """Reads what a run has measured that has not finished."""
  logs = run_logs.read_logs(workdir, run.seeds)
  names = logs[0].metrics if logs else ()
  absent = np.full(len(run.seeds), np.nan)
  return Results(
    run.experiment.name,
    {},
    np.asarray(run.seeds),
    np.asarray([log.step for log in logs]),
    {
      name: np.stack([log.metrics.get(name, absent) for log in logs], axis=1)
      for name in names
    },
    {},
  )


def _metrics(
  measured: Results, summary: dict[str, Any] | None
) -> list[tuple[str, str, str]]:
  """Writes the final, or last, and the best of each metric."""
  if summary is not None:
    entries = {"score": summary["score"], **summary["metrics"]}
    return [
      (name, console.number(entry["final"]), console.number(entry["best"]))
      for name, entry in entries.items()
    ]
  return [
    (name, console.number(results.mean_and_interval(values[:, -1])), ABSENT)
    for name, values in measured.metrics.items()
  ]


def pictures(workdir: Path) -> list[tuple[str, str]]:
  """Reads the animation and the figures of a folder, as sources of images."""
  paths = [
    workdir / results.ANIMATION,
    *sorted((workdir / results.FIGURES).glob("*.png")),
  ]
  return [
    (path.stem.replace("_", " "), html.source_of_file(path))
    for path in paths
    if path.exists()
  ]
