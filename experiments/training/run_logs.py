"""What a run has logged so far, on disk, to be read back when it goes on.

Rows of metrics, frames and events are each written when they are known. What
comes after the checkpoint that a run goes on from is cut off, so that nothing
is there twice.
"""

import datetime
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.training import monitor
from experiments.training.trainer import Log
from gan_jax.types import Players

COSTS = {f"{player}_cost" for player in Players._fields}
"""Metrics that every row has."""


def append(workdir: Path, seeds: Sequence[int], log: Log) -> None:
  """Writes a row of metrics for each seed, and the frame if there is one.

  Args:
    workdir: the run folder.
    seeds: [num_seeds].
    log: the next one.
  """
  if log.frame is not None:
    _write_frame(_frame_path(workdir, log.step), log.frame)
  _append(
    workdir / results.METRICS,
    [
      {
        "step": log.step,
        "seed": seed,
        **{
          name: results.json_number(value[index])
          for name, value in log.metrics.items()
        },
      }
      for index, seed in enumerate(seeds)
    ],
  )


def append_event(
  workdir: Path, kind: str, step: int, message: str, seed: int | None = None
) -> None:
  """Writes what happened at a step, to one seed or to the whole run."""
  time = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
  row = {"time": time, "kind": kind, "step": step, "seed": seed}
  _append(workdir / results.EVENTS, [{**row, "message": message}])


def _append(path: Path, rows: Sequence[dict[str, Any]]) -> None:
  """Adds rows to a file in one piece."""
  with path.open("a") as file:
    file.write(_lines(rows))


def _lines(rows: Sequence[dict[str, Any]]) -> str:
  return "".join(json.dumps(row) + "\n" for row in rows)


def read_rows(path: Path) -> list[dict[str, Any]]:
  """Reads the whole rows of a file; a last one may be torn.

  Args:
    path: of metrics or events; need not be there.

  Returns:
    The rows.

  Raises:
    RunFolderError: if a row before the last is no JSON object.
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
        f"{path.parent}, whose {path.name} has no row in line {number}: {error}"
      ) from error
  return rows


def cut(workdir: Path, step: int) -> None:
  """Removes what was logged after a step; -1 removes everything.

  Events that come again when their steps do go with them; others stay.

  Args:
    workdir: the run folder.
    step: the last that is kept.

  Raises:
    RunFolderError: if a file was damaged before its end.
  """
  for name, of_steps in (
    (results.METRICS, lambda row: True),
    (results.EVENTS, lambda row: row.get("kind") in monitor.KINDS),
  ):
    path = workdir / name
    if not path.exists():
      continue
    kept = [
      row
      for row in read_rows(path)
      if row.get("step", -1) <= step or not of_steps(row)
    ]
    with results.replacing(path) as partial:
      partial.write_text(_lines(kept))
  for path in (workdir / results.FRAMES).glob("*.npz"):
    if not path.stem.isdecimal() or int(path.stem) > step:
      path.unlink()


def read(
  workdir: Path, seeds: Sequence[int], until: int | None = None
) -> tuple[Log, ...]:
  """Reads what was logged.

  Args:
    workdir: the run folder.
    seeds: [num_seeds].
    until: the last step that is read; None for all.

  Returns:
    The logs, without failures.

  Raises:
    RunFolderError: if rows are missing or belong to other seeds.
  """
  path = workdir / results.METRICS
  rows = read_rows(path)
  if until is None:
    # Of the last step, a run that was killed may have written some.
    rows = rows[: len(rows) // len(seeds) * len(seeds)]
  else:
    rows = [row for row in rows if row.get("step", -1) <= until]
  logs = []
  for start in range(0, len(rows), len(seeds)):
    own = rows[start : start + len(seeds)]
    step = int(own[0].get("step", -1))
    if [(row.get("step"), row.get("seed")) for row in own] != [
      (step, seed) for seed in seeds
    ] or not all(COSTS <= set(own[0]) == set(row) for row in own):
      raise RunFolderError(
        f"{workdir}, whose {path.name} has not one whole row for each seed "
        f"from line {start + 1}"
      )
    logs.append(
      Log(
        step,
        {
          name: np.asarray([row[name] for row in own], float)
          for name in own[0]
          if name not in ("step", "seed")
        },
        (),
        _read_frame(_frame_path(workdir, step)),
      )
    )
  return tuple(logs)


def restore_frames(workdir: Path, reference: Collection[str]) -> None:
  """Takes the frames of a finished run apart again, to go on with it.

  Args:
    workdir: the run folder.
    reference: names of the arrays that are of no frame.

  Raises:
    RunFolderError: if the arrays cannot be read.
  """
  if not (workdir / results.SNAPSHOTS).exists():
    return
  arrays = results.read_snapshots(workdir)
  for index, step in enumerate(arrays.pop("step")):
    path = _frame_path(workdir, step)
    if not path.exists():
      frame = {
        name: values[:, index]
        for name, values in arrays.items()
        if name not in reference
      }
      _write_frame(path, frame)


def _frame_path(workdir: Path, step: int) -> Path:
  return workdir / results.FRAMES / f"{step}.npz"


def _write_frame(path: Path, frame: Mapping[str, np.ndarray]) -> None:
  path.parent.mkdir(exist_ok=True)
  with results.replacing(path) as partial:
    np.savez(partial, allow_pickle=False, **frame)


def _read_frame(path: Path) -> dict[str, np.ndarray] | None:
  """Reads a frame, if there is one."""
  if not path.exists():
    return None
  with results.reading(path), path.open("rb") as file, np.load(file) as arrays:
    return dict(arrays)


def drop_frames(workdir: Path) -> None:
  """Removes the frames of single steps, when they have been put together."""
  if (workdir / results.FRAMES).is_dir():
    shutil.rmtree(workdir / results.FRAMES)
