"""Names, writes and reads the files of a run folder.

settings.json   every setting, seeds, versions, device, git commit
metrics.jsonl   one row per logged step and seed
events.jsonl    what happened: start, interruptions, warnings, end
checkpoints/    progress of every seed: parameters, optimizer states
frames.bin      arrays to draw, step by step, until the run has finished
snapshots.npz   arrays that the pictures are drawn from
statistics.npz  features of real images, and the network they are from
figures/*.png, training.gif
report.html     all of this on one page
summary.json    score and metrics, final and best, with intervals; written last
"""

import collections
import contextlib
import gc
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.errors import RunFolderError
from experiments.run_folder import intervals
from gan_jax import statistics

(
  SETTINGS,
  METRICS,
  EVENTS,
  FRAMES,
  SNAPSHOTS,
  STATISTICS,
  ANIMATION,
  REPORT,
  SUMMARY,
) = FILES = (
  "settings.json",
  "metrics.jsonl",
  "events.jsonl",
  "frames.bin",
  "snapshots.npz",
  "statistics.npz",
  "training.gif",
  "report.html",
  "summary.json",
)
CHECKPOINTS, FIGURES, TENSORBOARD = FOLDERS = (
  "checkpoints",
  "figures",
  "tensorboard",
)

PLAN, TRIALS = "plan.json", "trials"
"""The plan and the trials' run folders in the folder of a sweep."""
WALL_SECONDS = "wall_seconds"
"""Key of the time that a run has taken, in rows of metrics and the summary."""
PARTIAL = ".partial-"
"""Prefix of the names of incomplete files."""


def is_finished(workdir: Path) -> bool:
  """Tells whether a run has ended: its summary is written last."""
  return (workdir / SUMMARY).exists()


class Results(NamedTuple):
  """The measurements of a run, from which scores and figures are made.

  Attributes:
    experiment: name of the experiment.
    settings: every setting by name.
    seeds: seed of each member, [num_seeds].
    steps: the logged steps, [num_logs]; the first is 0, before any update.
    metrics: each [num_seeds, num_logs]; NaN after a seed has failed, and where
      an expensive metric was not measured.
    snapshots: arrays to draw, of the first few seeds. `step` [frames] holds the
      logged steps of the frames.
      1-D games: `x` [num_points], `data_density` [num_points], `samples`
      [seeds, frames, n, 1], and `generated_density`, `discriminator` and
      `optimal_discriminator` [seeds, frames, num_points].
      2-D games: `x` [columns], `y` [rows], `data_samples` [n, 2], `modes`
      [num_modes, 2], `mode_stddev` [], `samples` [seeds, frames, n, 2] and
      `discriminator` [seeds, frames, rows, columns].
      `discriminator` is the probability D(x) if `discriminator_real` is among
      the metrics, and the critic's value if `critic_real` is.
    workdir: the run folder, if there is one.
    faults: what is wrong with the rows of metrics in the run folder.
    protocol: how the metrics were measured, as in `summary.json`; empty until
      the run has finished.
  """

  experiment: str
  settings: dict[str, Any]
  seeds: np.ndarray
  steps: np.ndarray
  metrics: dict[str, np.ndarray]
  snapshots: dict[str, np.ndarray]
  workdir: Path | None = None
  faults: tuple[str, ...] = ()
  protocol: Mapping[str, Any] = MappingProxyType({})

  @property
  def is_scored(self) -> bool:
    """Tells whether the features that measured images are known to be good."""
    return intervals.NOT_SCORED not in self.protocol

  def sampled(self, name: str) -> np.ndarray:
    """Returns a metric of the generator's average if there is one.

    It is NaN if the run did not measure it, as a run of an earlier version.
    """
    average = f"average_{name}"
    return self.metric(average if average in self.metrics else name)

  def metric(self, name: str) -> np.ndarray:
    """Returns a metric, NaN if the run did not measure it."""
    absent = np.full((len(self.seeds), len(self.steps)), np.nan)
    return self.metrics.get(name, absent)


def seed_summary(values: np.ndarray) -> dict[str, Any]:
  """Summarises values [num_seeds] as an entry of `summary.json`."""
  mean, ci95, _ = statistics.mean_and_interval(values)
  return {
    "mean": None if mean is None else json_number(mean),
    "ci95": ci95,
    "per_seed": [json_number(value) for value in values],
  }


def final_and_best(
  metrics: Mapping[str, np.ndarray], score: np.ndarray
) -> dict[str, Any]:
  """Summarises metrics at the last logged step and at each seed's best step.

  The best step of a seed is the first logged step with its highest score, and
  there is none if the score was never measured. The `best` of every metric is
  its value there: what one would report if one chose the best checkpoint after
  the fact.

  Args:
    metrics: each [num_seeds, num_logs].
    score: [num_seeds, num_logs].

  Returns:
    `score` and `metrics`, whose entries have `final` and `best`.
  """
  measured = np.isfinite(score)
  best = np.argmax(np.where(measured, score, -np.inf), axis=1)

  def summarise(values):
    at_best = values[np.arange(len(values)), best]
    return {
      "final": seed_summary(values[:, -1]),
      "best": seed_summary(np.where(measured.any(axis=1), at_best, np.nan)),
    }

  return {
    "score": summarise(score),
    "metrics": {name: summarise(values) for name, values in metrics.items()},
  }


def count_diverged(score: np.ndarray) -> np.ndarray:
  """Returns scores with 0 for the seeds that have diverged.

  A seed has diverged where its score is infinite, or unknown although that of
  another seed is known. To leave it out of the mean would improve the mean.

  Args:
    score: [num_seeds, ...].
  """
  is_known = np.isfinite(score)
  diverged = ~is_known & (is_known.any(axis=0) | np.isinf(score))
  return np.where(diverged, 0.0, score)


INFINITIES = ("inf", "-inf")
"""How infinite numbers are written, because JSON has none."""


def json_number(value: float) -> float | str | None:
  """Replaces NaN by None and infinities by text, because JSON has neither."""
  if math.isinf(value):
    return f"{float(value)}"
  return None if math.isnan(value) else float(value)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
  """Yields a path to write to, and moves it to `path` when it is complete.

  An interruption therefore leaves the old file, or none.
  """
  partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
  try:
    yield partial
    sync(partial)
    partial.replace(path)
    sync(path.parent)
  finally:
    partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
  """Waits until a file, or the names in a folder, are on the disk."""
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
  """Writes readable JSON, completely or not at all."""
  with replacing(path) as partial:
    partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_figures(
  workdir: Path, figures: Mapping[str, Figure | Iterator[Image.Image]]
) -> None:
  """Writes figures as PNG and animations as GIF, by file name."""
  (workdir / FIGURES).mkdir(exist_ok=True)
  for name, figure in figures.items():
    if isinstance(figure, Figure):
      figure.savefig(workdir / FIGURES / name)
    else:
      write_gif(workdir / name, figure)


def save_figure(figure: Figure, path: Path) -> None:
  """Writes a figure as PNG, PDF or SVG, as the name of the file ends.

  The same figure makes the same file: it has no date and no random names.
  """
  metadata = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
  with matplotlib.rc_context({"svg.hashsalt": "gan_jax"}):
    figure.savefig(path, metadata=metadata.get(path.suffix))


def write_gif(path: Path, images: Iterator[Image.Image]) -> None:
  """Writes an animation that pauses on its last frame."""
  frames = [image.quantize(128) for image in images]
  frames[0].save(
    path,
    save_all=True,
    append_images=frames[1:],
    duration=[80] * (len(frames) - 1) + [2000],
    loop=0,
    optimize=False,
  )


def read_json(path: Path) -> dict[str, Any]:
  """Reads an object from a run folder, or raises RunFolderError."""
  try:
    content = json.loads(path.read_text())
  except FileNotFoundError as error:
    kind = "is not a run folder: it " if path.name == SETTINGS else ""
    raise RunFolderError(f"{path.parent} {kind}has no {path.name}") from error
  except OSError as error:
    raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error
  except ValueError as error:
    raise RunFolderError(f"{path} is damaged: it is not JSON") from error
  if not isinstance(content, dict):
    raise RunFolderError(f"{path} is damaged: it is not a JSON object")
  return content


def read_snapshots(workdir: Path) -> dict[str, np.ndarray]:
  """Reads `Results.snapshots`, or raises RunFolderError."""
  # Opened here, since NumPy does not close a file that it cannot read.
  with (
    reading(workdir),
    (workdir / SNAPSHOTS).open("rb") as file,
    np.load(file) as arrays,
  ):
    return dict(arrays)


@contextlib.contextmanager
def reading(workdir: Path) -> Iterator[None]:
  """Turns errors while a run folder is read into a RunFolderError."""
  try:
    yield
  except OSError as error:
    raise RunFolderError(
      f"{workdir} is incomplete: {error.filename}: {error.strerror or error}"
    ) from error
  except (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
  ) as error:
    raise RunFolderError(
      f"{workdir} is a damaged run: {type(error).__name__}: {error}"
    ) from error


class Rows(NamedTuple):
  """Rows of metrics or events, and what is wrong with their file.

  Attributes:
    rows: JSON objects, in the order of the file.
    faults: a line for each fault.
  """

  rows: list[dict[str, Any]]
  faults: list[str]


def read_rows(path: Path) -> Rows:
  """Reads the rows of metrics or events; a torn last line is left out."""
  rows, faults = [], []
  if not path.exists():
    return Rows(rows, faults)
  with reading(path.parent):
    text = path.read_text(errors="replace")
  with _no_garbage_collection():
    # What follows the last end of a line is nothing, or a torn row.
    parsed = _parse_lines(text.split("\n")[:-1])
  for number, row in enumerate(parsed, start=1):
    # A step of 2.0 or True would be another key of the same row.
    if isinstance(row, dict) and type(row.get("step")) is int:
      rows.append(row)
    else:
      faults.append(f"line {number} of {path} is damaged")
  return Rows(rows, faults)


_NO_METRICS = ("step", "seed", WALL_SECONDS)
"""Keys of a row of metrics that are not metrics."""


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
  """Does not look for garbage among millions of values that all stay."""
  was_enabled = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if was_enabled:
      gc.enable()


def _parse_lines(lines: Sequence[str]) -> list[Any]:
  """Parses lines of JSON; a damaged one becomes None."""
  with contextlib.suppress(ValueError):
    # All at once takes half as long, unless a line is damaged.
    parsed = json.loads(f"[{','.join(lines)}]")
    if len(parsed) == len(lines):
      return parsed
  parsed = []
  for line in lines:
    try:
      parsed.append(json.loads(line))
    except ValueError:
      parsed.append(None)
  return parsed


class MetricRows(NamedTuple):
  """The rows of metrics of a run.

  Attributes:
    by_step: the row of each seed, for each logged step in order.
    faults: a line for each row that is missing or damaged.
  """

  by_step: dict[int, dict[int, dict[str, Any]]]
  faults: list[str]

  def values(self, step: int, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Returns the metrics of a step, [num_seeds], NaN where missing."""
    rows = [self.by_step[step].get(seed, {}) for seed in seeds]
    names = dict.fromkeys(name for row in rows for name in row)
    return {
      name: np.asarray([row.get(name) for row in rows], float)
      for name in names
      if name not in _NO_METRICS
    }

  def columns(self, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Returns all metrics, each [num_seeds, num_steps], NaN where missing."""
    of_seeds = [
      [rows.get(seed, {}) for rows in self.by_step.values()] for seed in seeds
    ]
    # Most rows have the same names.
    kinds = dict.fromkeys(tuple(row) for rows in of_seeds for row in rows)
    names = dict.fromkeys(name for kind in kinds for name in kind)
    return {
      name: np.asarray(
        [[row.get(name) for row in rows] for rows in of_seeds], float
      )
      for name in names
      if name not in _NO_METRICS
    }

  def text(self, seeds: Sequence[int]) -> str:
    """Returns the rows as a run writes them, step by step."""
    return "".join(
      f"{json.dumps(rows[seed])}\n"
      for rows in self.by_step.values()
      for seed in seeds
      if seed in rows
    )


def checksum(text: str) -> str:
  """Returns the SHA-256 of a text."""
  return hashlib.sha256(text.encode()).hexdigest()


def _has_only_numbers(row: Mapping[str, Any]) -> bool:
  """Tells whether all values are numbers, as `json_number` writes them."""
  if set(map(type, row.values())) <= {int, float, type(None)}:
    return True
  return all(
    value is None or type(value) in (int, float) or value in INFINITIES
    for value in row.values()
  )


def read_metrics(
  path: Path,
  seeds: Sequence[int],
  until: int | None = None,
  required: Collection[str] = (),
) -> MetricRows:
  """Reads the rows of metrics of a run by the step and seed that they name.

  Args:
    path: of the rows.
    seeds: [num_seeds].
    until: the last step to read; None for all but a last step that is
      incomplete, as a run leaves it that is killed.
    required: names of metrics that every row must have.
  """
  rows, faults = read_rows(path)
  if until is None:
    counts = collections.Counter(row["step"] for row in rows)
    last = max(counts, default=-1)
    until = last - (counts[last] < len(seeds))
  by_step: dict[int, dict[int, dict[str, Any]]] = {}
  needed = set(required)
  for row in rows:
    step, seed = row["step"], row.get("seed")
    if step > until:
      continue
    fault = ""
    others = by_step.setdefault(step, {})
    if type(seed) is not int or seed not in seeds or not _has_only_numbers(row):
      fault = "is damaged"
    elif not row.keys() >= needed:
      fault = f"lacks {', '.join(sorted(needed - {*row}))}"
    elif others.setdefault(seed, row) is not row and others[seed] != row:
      fault = "is there twice, with other values"
      others[seed] = {}
    if fault:
      faults.append(f"the row of step {step:,}, seed {seed}, in {path} {fault}")
  steps = sorted(by_step)
  faults += [
    f"there is no row of step {step:,}, seed {seed}, in {path}"
    for step in steps
    for seed in seeds
    if seed not in by_step[step]
  ]
  return MetricRows({step: by_step[step] for step in steps}, faults)


def _differences(
  workdir: Path,
  settings: Mapping[str, Any],
  summary: Mapping[str, Any],
  rows: MetricRows,
) -> list[str]:
  """Says where the files of a finished run contradict each other."""
  seeds, faults = settings["seeds"], []
  for name in ("experiment", "settings", "seeds"):
    if summary[name] != settings[name]:
      faults.append(f"{workdir}: {SETTINGS} and {SUMMARY} differ in {name}")
  recorded = summary.get("metrics_sha256")
  # Rows may be in another order than they were written in. The text is made
  # again only then, because that takes long.
  if (
    recorded is not None
    and recorded != checksum((workdir / METRICS).read_text(errors="replace"))
    and recorded != checksum(rows.text(seeds))
  ):
    faults.append(f"{workdir / METRICS} has changed since the run ended")
  last = rows.by_step[max(rows.by_step)] if rows.by_step else {}
  for name, entry in summary["metrics"].items():
    final = entry["final"]["per_seed"]
    if final != [last.get(seed, {}).get(name) for seed in seeds]:
      faults.append(f"{workdir}: {SUMMARY} and {METRICS} differ in {name}")
  return faults


def read_results(workdir: Path) -> Results:
  """Reads what a run has measured, or raises RunFolderError.

  A run that has not finished has no snapshots, and perhaps no rows.
  """
  settings = read_json(workdir / SETTINGS)
  path = workdir / METRICS
  finished = is_finished(workdir)
  with reading(workdir):
    seeds = settings["seeds"]
    rows = read_metrics(path, seeds)
    steps, faults = list(rows.by_step), list(rows.faults)
    protocol = {}
    if finished:
      summary = read_json(workdir / SUMMARY)
      logged = summary.get("num_logs", len(steps))
      if not steps or logged != len(steps):
        faults.append(f"{path} has {len(steps)} of {logged} logged steps")
      faults += _differences(workdir, settings, summary, rows)
      protocol = dict(summary.get("protocol", {}))
    return Results(
      experiment=settings["experiment"],
      settings=settings["settings"],
      seeds=np.asarray(seeds),
      steps=np.asarray(steps, int),
      metrics=rows.columns(seeds),
      snapshots=read_snapshots(workdir) if finished else {},
      workdir=workdir,
      faults=tuple(faults),
      protocol=protocol,
    )
