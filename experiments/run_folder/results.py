"""Names, writes and reads the files of a run folder.

settings.json   every setting, seeds, versions, device, git commit
metrics.jsonl   one row per logged step and seed
events.jsonl    what happened: start, interruptions, warnings, end
checkpoints/    progress of every seed: parameters, optimizer states
frames.bin      arrays to draw, step by step, until the run has finished
snapshots.npz   arrays that the pictures are drawn from
figures/*.png, training.gif
report.html     all of this on one page
summary.json    score and metrics, final and best, with intervals; written last
"""

import contextlib
import json
import math
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from experiments.errors import RunFolderError
from gan_jax import statistics

(
  SETTINGS,
  METRICS,
  EVENTS,
  FRAMES,
  SNAPSHOTS,
  ANIMATION,
  REPORT,
  SUMMARY,
) = FILES = (
  "settings.json",
  "metrics.jsonl",
  "events.jsonl",
  "frames.bin",
  "snapshots.npz",
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
  """

  experiment: str
  settings: dict[str, Any]
  seeds: np.ndarray
  steps: np.ndarray
  metrics: dict[str, np.ndarray]
  snapshots: dict[str, np.ndarray]
  workdir: Path | None = None

  def sampled(self, name: str) -> np.ndarray:
    """Returns a metric of the generator's average if there is one."""
    return self.metrics.get(f"average_{name}", self.metrics[name])


def seed_summary(values: np.ndarray) -> dict[str, Any]:
  """Summarises values [num_seeds] as an entry of `summary.json`."""
  mean, ci95, _ = statistics.mean_and_interval(values)
  return {
    "mean": mean,
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


def json_number(value: float) -> float | None:
  """Replaces NaN and infinities, which JSON does not have, by None."""
  return float(value) if math.isfinite(value) else None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
  """Yields a path to write to, and moves it to `path` when it is complete.

  An interruption therefore leaves the old file, or none.
  """
  partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
  try:
    yield partial
    partial.replace(path)
  finally:
    partial.unlink(missing_ok=True)


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
    EOFError,
    zipfile.BadZipFile,
  ) as error:
    raise RunFolderError(
      f"{workdir} is a damaged run: {type(error).__name__}: {error}"
    ) from error


def read_rows(path: Path) -> list[dict[str, Any]]:
  """Reads the rows of metrics or events; a torn last line is left out.

  Raises:
    RunFolderError: if a line before the last is no JSON object.
  """
  if not path.exists():
    return []
  rows = []
  # What follows the last end of a line is nothing, or a torn row.
  lines = path.read_text(errors="replace").split("\n")[:-1]
  for number, line in enumerate(lines, start=1):
    try:
      rows.append(dict(json.loads(line)))
    except (ValueError, TypeError) as error:
      raise RunFolderError(
        f"line {number} of {path} is damaged; restore the file from a copy, or "
        "start the run anew with --overwrite"
      ) from error
  return rows


def group_rows(
  path: Path,
  rows: Sequence[dict[str, Any]],
  seeds: Sequence[int],
  required: Collection[str] = (),
) -> list[Sequence[dict[str, Any]]]:
  """Groups the rows of metrics by logged step, one row for each seed.

  Args:
    path: the file of the rows.
    rows: of the steps from the first.
    seeds: [num_seeds].
    required: names of metrics that every row must have.

  Raises:
    RunFolderError: if rows are missing or belong to other seeds.
  """
  groups = []
  for start in range(0, len(rows), len(seeds)):
    group = rows[start : start + len(seeds)]
    first, names = group[0], {"step", "seed", *required}
    if [(row.get("step"), row.get("seed")) for row in group] != [
      (first.get("step"), seed) for seed in seeds
    ] or not all(names <= set(first) == set(row) for row in group):
      raise RunFolderError(
        f"{path} is damaged: it has not one whole row for each seed from line "
        f"{start + 1}"
      )
    groups.append(group)
  return groups


def read_results(workdir: Path) -> Results:
  """Reads what a run has measured, or raises RunFolderError.

  A run that has not finished has no snapshots, and perhaps no rows.
  """
  settings = read_json(workdir / SETTINGS)
  path = workdir / METRICS
  rows = read_rows(path)
  finished = is_finished(workdir)
  with reading(workdir):
    seeds = settings["seeds"]
    num_seeds = len(seeds)
    if not finished:
      # It may have written some rows of its last step.
      rows = rows[: len(rows) // num_seeds * num_seeds]
    groups = group_rows(path, rows, seeds)
    if finished and not groups:
      raise RunFolderError(f"{path} is damaged: it has no rows")
    # Only the first rows are sure to have the expensive metrics.
    first = rows[0] if rows else {}
    names = [name for name in first if name not in ("step", "seed")]
    return Results(
      experiment=settings["experiment"],
      settings=settings["settings"],
      seeds=np.asarray(seeds),
      steps=np.asarray([group[0]["step"] for group in groups]),
      metrics={
        name: np.asarray([row.get(name) for row in rows], float)
        .reshape(-1, num_seeds)
        .T
        for name in names
      },
      snapshots=read_snapshots(workdir) if finished else {},
      workdir=workdir,
    )
