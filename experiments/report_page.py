"""One self-contained page of HTML about a run, or about several."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from matplotlib.figure import Figure

from experiments import console, guard, journal, plots_compared, results
from experiments import run_settings as settings_files
from experiments.fields import fields_of
from experiments.results import Results

_TEMPLATES = Path(__file__).parent / "templates"
_TYPES = {".png": "image/png", ".gif": "image/gif"}
ABSENT = "-"


class Page(NamedTuple):
  """What is said of one run.

  Attributes:
    name: of its folder.
    summary: one sentence on what was trained.
    verdict: one sentence on how far it came.
    command: that trains it again.
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
    results: what curves are drawn from; None before the run's end.
  """

  name: str
  summary: str
  verdict: str
  command: str
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
  results: Results | None


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
  pages = [_page(workdir) for workdir in workdirs]
  title = pages[0].name if len(pages) == 1 else f"{len(pages)} runs compared"
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
  )
  finished = {own.name: own.results for own in pages if own.results is not None}
  curves = None
  if len(pages) > 1 and finished:
    curves = _png(plots_compared.curves(finished))
  return environment.get_template("report.html").render(
    title=title,
    pages=pages,
    rows=_side_by_side([own.final for own in pages]),
    differences=[
      (name, cells)
      for name, cells in _side_by_side([own.values for own in pages])
      if len(set(cells)) > 1
    ],
    curves=curves,
  )


def _side_by_side(
  columns: Sequence[dict[str, str]],
) -> list[tuple[str, list[str]]]:
  """Lists what any column has, with what each one has."""
  names = list(dict.fromkeys(name for column in columns for name in column))
  return [
    (name, [column.get(name, ABSENT) for column in columns]) for name in names
  ]


def _page(workdir: Path) -> Page:
  """Gathers what is said of a run."""
  run = settings_files.read(workdir)
  described = results.read_json(workdir / results.SETTINGS)
  events = journal.read_rows(workdir / results.EVENTS)
  finished = (workdir / results.SUMMARY).exists()
  summary = results.read_json(workdir / results.SUMMARY) if finished else {}
  metrics, step = _metrics(workdir, run.seeds, summary)
  fields = fields_of(type(run.settings))
  num_seeds = len(run.seeds)
  return Page(
    name=workdir.resolve().name,
    summary=(
      f"{run.experiment.name} ({run.experiment.source}): "
      f"{run.experiment.summary}; {num_seeds} "
      f"{'seed' if num_seeds == 1 else 'seeds'} from {run.seeds[0]}."
    ),
    verdict=_verdict(summary, step, run.settings.steps),
    command=run.command(),
    troubles=[own for own in events if own["kind"] in guard.KINDS],
    metrics=metrics,
    has_best=finished,
    protocol=list(summary.get("protocol", {}).items()),
    pictures=_pictures(workdir),
    events=events,
    settings=[
      (
        field.name,
        field.format(getattr(run.settings, field.name)),
        getattr(run.settings, field.name)
        != getattr(run.experiment.settings, field.name),
        field.metadata["help"],
      )
      for field in fields
    ],
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
        for field in fields
      },
    },
    results=results.read(workdir) if finished else None,
  )


def _verdict(summary: dict[str, Any], step: int, num_steps: int) -> str:
  """Says how far a run came."""
  if not summary:
    return f"It has logged {step:,} of {num_steps:,} steps, and not finished."
  failed = len(summary["failures"])
  lost = f" {failed} of them failed." if failed else ""
  return (
    f"It took {summary['steps']:,} steps in {summary['wall_seconds']:,.0f} s, "
    f"at {summary['steps_per_second']:,.0f} steps/s.{lost}"
  )


def _metrics(
  workdir: Path, seeds: Sequence[int], summary: dict[str, Any]
) -> tuple[list[tuple[str, str, str]], int]:
  """Writes the final and best of each metric; and the last logged step."""
  if summary:
    entries = {"score": summary["score"], **summary["metrics"]}
    rows = [
      (name, console.number(entry["final"]), console.number(entry["best"]))
      for name, entry in entries.items()
    ]
    return rows, summary["steps"]
  logs = journal.read(workdir, seeds)
  if not logs:
    return [], 0
  rows = [
    (name, console.number(results.mean_and_interval(values)), ABSENT)
    for name, values in logs[-1].metrics.items()
  ]
  return rows, logs[-1].step


def _pictures(workdir: Path) -> list[tuple[str, str]]:
  """Reads the animation and the figures of a run, as sources of images."""
  paths = [
    workdir / results.ANIMATION,
    *sorted((workdir / results.FIGURES).glob("*.png")),
  ]
  return [
    (path.stem.replace("_", " "), _source(path.read_bytes(), path.suffix))
    for path in paths
    if path.exists()
  ]


def _source(content: bytes, suffix: str) -> str:
  encoded = base64.b64encode(content).decode()
  return f"data:{_TYPES[suffix]};base64,{encoded}"


def _png(figure: Figure) -> str:
  """Draws a figure as the source of an image."""
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png")
  return _source(buffer.getvalue(), ".png")
