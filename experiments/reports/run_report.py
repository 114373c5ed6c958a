"""report.html of a run, and the page that compares several runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.cli import console
from experiments.configs.image_settings import ImageSettings
from experiments.datasets import data_record
from experiments.plots import comparison
from experiments.reports import html, protocols
from experiments.run_folder import (
  intervals,
  metric_table,
  results,
  run_logs,
)
from experiments.run_folder.intervals import SCORE
from experiments.run_folder.results import Results
from experiments.training import run_config
from experiments.training.run_config import RunSettings
from gan_jax.data import image_source

_FINAL = "final"
"""Name of the picture of the last step."""


class Page(NamedTuple):
  """What the page says about one run.

  `step` is the last logged one. The `summary` says what was trained, and the
  `verdict` how far it came.
  `command` trains it again, unless it `changed_steps`: settings that decay over
  the run then jumped. `resume` is None if it has finished. `warnings` are the
  `events` of `run_logs.WARNINGS`, `failed` says how many seeds failed, and
  `faults` say what is wrong with the files of the run. `data` says what images
  were read. `metrics` are rows of name, final value and best value; `settings`
  are rows of name, value, whether it was changed, and help. `final` and
  `values` have the same text by name, to compare runs. `comparable` is what two
  runs must have in common for metrics of their samples to be comparable.
  """

  name: str
  step: int
  summary: str
  verdict: str
  command: str
  changed_steps: bool
  resume: str | None
  warnings: list[dict[str, Any]]
  failed: str
  faults: Sequence[str]
  metrics: list[tuple[str, str, str]]
  has_best: bool
  data: str
  protocol: list[tuple[str, Any]]
  comparable: dict[str, Any]
  pictures: list[tuple[str, str]]
  events: list[dict[str, Any]]
  settings: list[tuple[str, str, bool, str]]
  environment: list[tuple[str, str]]
  final: dict[str, str]
  values: dict[str, str]
  results: Results


def write(workdirs: Sequence[Path], out: Path) -> str:
  """Writes one page, which needs no other file, about one or several runs.

  They may be unfinished. The file `out` is replaced. Raises RunFolderError if
  a folder is not a run folder, or damaged.

  Returns:
    One line that says how the runs were measured differently; "" if they were
    measured alike. On the page the metrics of samples are then marked.
  """
  pages = []
  for workdir, name in zip(workdirs, _names(workdirs), strict=True):
    with results.reading(workdir):
      pages.append(_page(workdir, name))
  compares = len(pages) > 1
  drawn = {page.name: page.results for page in pages if len(page.results.steps)}
  difference = protocols.differences(
    [page.comparable for page in pages], [page.name for page in pages]
  )
  marked = [
    name
    for page in pages
    for name in ("score", *page.results.metrics)
    if difference and protocols.measures_samples(name)
  ]
  curves = None
  if compares and drawn:
    curves = html.source_of_figure(comparison.curves(drawn, marked))
  settings = _side_by_side([page.values for page in pages])
  text = html.render(
    "report.html",
    title=f"{len(pages)} runs compared" if compares else pages[0].name,
    pages=pages,
    rows=_side_by_side([page.final for page in pages]),
    marked=marked,
    protocol_difference=difference,
    differences=[row for row in settings if len(set(row[1])) > 1],
    curves=curves,
    lengths_differ=len({page.step for page in pages}) > 1,
    finals=[
      (page, source)
      for page in pages
      for label, source in page.pictures
      if compares and label == _FINAL
    ],
    describe=metric_table.describe,
  )
  with results.replacing(out) as partial:
    partial.write_text(text, "utf-8", errors="backslashreplace")
  return difference


def _names(workdirs: Sequence[Path]) -> list[str]:
  """Names each run by its folder, or by its path if folders share a name."""
  names = [workdir.resolve().name for workdir in workdirs]
  return [
    name if names.count(name) == 1 else str(workdir)
    for name, workdir in zip(names, workdirs, strict=True)
  ]


def _side_by_side(
  columns: Sequence[dict[str, str]],
) -> list[tuple[str, list[str]]]:
  """Lists every name that a column has, with the cells of all columns."""
  names = list(dict.fromkeys(name for column in columns for name in column))
  return [
    (name, [column.get(name, intervals.ABSENT) for column in columns])
    for name in names
  ]


def _page(workdir: Path, name: str) -> Page:
  """Gathers what the page says about a run."""
  run = run_config.read_settings(workdir)
  described = results.read_json(workdir / results.SETTINGS)
  events, faults = results.read_rows(workdir / results.EVENTS)
  finished = (workdir / results.SUMMARY).exists()
  summary = results.read_json(workdir / results.SUMMARY) if finished else None
  measured = results.read_results(workdir)
  step = int(measured.steps[-1]) if len(measured.steps) else 0
  if not finished:
    name = f"{name} (step {step:,} of {run.settings.steps:,})"
  num_seeds = len(run.seeds)
  metrics = _metrics(measured, summary)
  settings = html.settings_rows(run)
  data = described.get("data")
  # Older runs have it in their summary only.
  protocol = described.get("protocol") or (summary or {}).get("protocol", {})
  return Page(
    name=name,
    step=step,
    summary=(
      f"{run.experiment.name} ({run.experiment.source}): "
      f"{subject(run)}; {num_seeds} "
      f"{'seed' if num_seeds == 1 else 'seeds'} from {run.seeds[0]}."
    ),
    verdict=_verdict(summary, step, run.settings.steps),
    command=run.command(described.get("threads", 0)),
    changed_steps=any(
      event["kind"] == run_logs.CHANGED_STEPS for event in events
    ),
    resume=None if finished else run_config.resume_command(workdir),
    warnings=[event for event in events if event["kind"] in run_logs.WARNINGS],
    failed=_failed(events, num_seeds),
    faults=[*measured.faults, *faults],
    metrics=metrics,
    has_best=finished and run.settings.evaluate,
    data=data_record.describe(data) if data else "",
    protocol=list(protocol.items()),
    comparable=protocols.comparable(
      run.experiment.name, run.settings, protocol
    ),
    pictures=pictures(workdir),
    events=events,
    settings=settings,
    environment=[
      ("device", described["device"]),
      ("threads", described.get("threads", "unknown")),
      ("git commit", described["git_commit"] or "unknown"),
      *described["versions"].items(),
    ],
    final={name: final for name, final, _ in metrics},
    values={
      "experiment": run.experiment.name,
      "seeds": ", ".join(map(str, run.seeds)),
      **{name: value for name, value, *_ in settings},
    },
    results=measured,
  )


def _failed(events: Sequence[dict[str, Any]], num_seeds: int) -> str:
  """Says how many seeds have failed; "" if none has."""
  seeds = {event["seed"] for event in events if event["kind"] == "failed"}
  return f"{len(seeds)} of {num_seeds} seeds failed" if seeds else ""


def subject(run: RunSettings) -> str:
  """Says what a run trains on; its images may not be the experiment's."""
  settings, usual = run.settings, run.experiment.settings
  if not (
    isinstance(settings, ImageSettings) and isinstance(usual, ImageSettings)
  ):
    return run.experiment.summary
  if settings.dataset == usual.dataset:
    return run.experiment.summary
  where = settings.dataset
  if where == image_source.FOLDER:
    where = Path(settings.data_dir).name
  return f"convolutional networks on the images of {where}"


def _verdict(summary: dict[str, Any] | None, step: int, num_steps: int) -> str:
  """Says how far a run came."""
  if summary is None:
    return f"It has logged {step:,} of {num_steps:,} steps, and not finished."
  num_failed = len(summary["failures"])
  failed = f" {num_failed} of them failed." if num_failed else ""
  return (
    f"It took {summary['steps']:,} steps in {summary['wall_seconds']:,.0f} s, "
    f"which includes compilation and pictures; each seed trained at "
    f"{console.speed(summary['steps_per_second'])}.{failed}"
  )


def _metrics(
  measured: Results, summary: dict[str, Any] | None
) -> list[tuple[str, str, str]]:
  """Writes the final, or last, and the best of the score and each metric."""
  if summary is not None:
    entries = summary["metrics"]
    if summary["settings"].get("evaluate", True):
      entries = {"score": summary["score"], **entries}
    return [
      (
        name,
        intervals.text(entry["final"], name, settings=measured.settings),
        intervals.text(entry["best"], name, settings=measured.settings),
      )
      for name, entry in entries.items()
    ]
  # The score stands first, as in a finished run.
  names = sorted(measured.metrics, key=lambda name: name != SCORE)
  return [
    (
      name,
      intervals.text(
        results.seed_summary(measured.metrics[name][:, -1]),
        name,
        settings=measured.settings,
      ),
      intervals.ABSENT,
    )
    for name in names
  ]


def pictures(workdir: Path) -> list[tuple[str, str]]:
  """Reads the animation and the figures of a folder, as sources of images."""
  figures = sorted((workdir / results.FIGURES).glob("*.png"))
  paths = [workdir / results.ANIMATION, *figures]
  return [
    (path.stem.replace("_", " "), html.source_of_file(path))
    for path in paths
    if path.exists()
  ]
