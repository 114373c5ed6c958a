"""The logs of a run on disk: rows of metrics, frames to draw, and events.

Each is a file that only grows. When a run resumes, what was logged after the
checkpoint is cut off, so that nothing is logged twice.
"""

from __future__ import annotations

import datetime
import io
import json
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from etils import epy

from experiments.errors import RunFolderError
from experiments.run_folder import results

# Pages read events without JAX, which takes long to import.
with epy.lazy_imports():
  from gan_jax import training

COSTS = {"generator_cost", "discriminator_cost"}
"""Metrics that every row has."""
CHANGED_STEPS = "changed_steps"
"""The event of a run that resumes with another number of steps, if settings
that decay over the run jump there."""
WARNINGS = ("failed", "exploding", "collapsed", "saturated")
"""Kinds of events that say that the training of a seed goes wrong."""
SAVED = "saved"
"""Kind of the event that says that a run has its first checkpoint."""
_LENGTH = struct.Struct("<Q")


def append_log(
  workdir: Path, seeds: Sequence[int], log: training.Log, wall_seconds: float
) -> str:
  """Appends a row of metrics for each seed, and the frame if there is one.

  Rows also have the time that the run has taken, interruptions left out.
  Returns the text of the rows.
  """
  if log.frame is not None:
    with (workdir / results.FRAMES).open("ab") as file:
      file.write(_frame_bytes(log.step, log.frame))
  rows = [
    {
      "step": log.step,
      "seed": seed,
      results.WALL_SECONDS: round(wall_seconds, 3),
      **{
        name: results.json_number(value[index])
        for name, value in log.metrics.items()
      },
    }
    for index, seed in enumerate(seeds)
  ]
  text = _lines(rows)
  with (workdir / results.METRICS).open("a") as file:
    file.write(text)
  return text


def sync(workdir: Path) -> None:
  """Waits until what a run has logged is on the disk."""
  for name in (results.METRICS, results.FRAMES, results.EVENTS):
    if (workdir / name).exists():
      results.sync(workdir / name)


def append_event(
  workdir: Path, kind: str, step: int, message: str, seed: int | None = None
) -> None:
  """Appends an event of one seed, or of the whole run."""
  time = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
  row = {"time": time, "kind": kind, "step": step, "seed": seed}
  with (workdir / results.EVENTS).open("a") as file:
    file.write(_lines([{**row, "message": message}]))


def _lines(rows: Iterable[dict[str, Any]]) -> str:
  return "".join(json.dumps(row) + "\n" for row in rows)


class LoggedRun(NamedTuple):
  """What a run has logged, and what is wrong with it.

  Attributes:
    logs: without failures.
    faults: a line for each fault.
    checksum: of the rows of metrics.
  """

  logs: tuple[training.Log, ...]
  faults: tuple[str, ...]
  checksum: str


def read_logs(
  workdir: Path,
  seeds: Sequence[int],
  until: int | None = None,
  reference: Collection[str] = (),
) -> LoggedRun:
  """Reads what a run has logged.

  Metrics are NaN where a row is missing or damaged.

  Args:
    workdir: the run folder.
    seeds: [num_seeds].
    until: the last step to read; None for all.
    reference: names of the arrays in the snapshots of a finished run that
      belong to no frame.
  """
  rows = results.read_metrics(workdir / results.METRICS, seeds, until, COSTS)
  frames, damaged_frames = _read_frames(workdir, reference)
  logs = []
  for step in rows.by_step:
    metrics = rows.values(step, seeds)
    for name in COSTS:
      metrics.setdefault(name, np.full(len(seeds), np.nan))
    logs.append(training.Log(step, metrics, (), frames.get(step)))
  return LoggedRun(
    tuple(logs),
    (*rows.faults, *damaged_frames),
    results.checksum(rows.text(seeds)),
  )


def cut_logs(
  workdir: Path, step: int, logs: Iterable[training.Log] = ()
) -> None:
  """Removes what was logged after a step; -1 removes everything.

  Warnings are removed with their steps, since the resumed run repeats them.
  Other events stay.

  Args:
    workdir: the run folder.
    step: the last step to keep.
    logs: the logs to keep, as `read_logs` returns them; their frames are
      written again.
  """
  for name, is_repeated in (
    (results.METRICS, lambda row: True),
    (results.EVENTS, lambda row: row.get("kind") in WARNINGS),
  ):
    path = workdir / name
    if not path.exists():
      continue
    kept = [
      row
      for row in results.read_rows(path).rows
      if row["step"] <= step or not is_repeated(row)
    ]
    text = _lines(kept)
    with results.replacing(path) as partial:
      partial.write_text(text)
  frames = [
    _frame_bytes(log.step, log.frame) for log in logs if log.frame is not None
  ]
  with results.replacing(workdir / results.FRAMES) as partial:
    partial.write_bytes(b"".join(frames))


def _frame_bytes(step: int, frame: Mapping[str, np.ndarray]) -> bytes:
  """Encodes a frame: the length of an .npz archive, and the archive."""
  archive = io.BytesIO()
  np.savez(archive, allow_pickle=False, step=step, **frame)
  content = archive.getvalue()
  return _LENGTH.pack(len(content)) + content


def _read_frames(
  workdir: Path, reference: Collection[str]
) -> tuple[dict[int, dict[str, np.ndarray]], list[str]]:
  """Reads the frames by step, and what is wrong with them.

  Those of a finished run are in its snapshots.
  """
  path = workdir / results.FRAMES
  frames, faults = {}, []
  if path.exists():
    content = path.read_bytes()
    start = _LENGTH.size
    while start <= len(content):
      (length,) = _LENGTH.unpack_from(content, start - _LENGTH.size)
      if start + length > len(content):
        break  # Torn: the run was killed while it wrote this frame.
      try:
        with (
          results.reading(path),
          np.load(io.BytesIO(content[start : start + length])) as arrays,
        ):
          frame = dict(arrays)
          frames[int(frame.pop("step"))] = frame
      except RunFolderError:
        faults.append(f"{path} has a damaged frame")
      start += length + _LENGTH.size
  elif (workdir / results.SNAPSHOTS).exists():
    snapshots = results.read_snapshots(workdir)
    for index, step in enumerate(snapshots.pop("step")):
      frames[int(step)] = {
        name: values[:, index]
        for name, values in snapshots.items()
        if name not in reference
      }
  return frames, faults
