"""When a training stops to be evaluated, drawn and saved."""

import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

MAX_FRAMES = 101
SECONDS_PER_CHUNK = 0.5
SECONDS_PER_CHECKPOINT = 60
"""Where no number of steps is given."""


class Pace(NamedTuple):
  """How far a training goes, and what is done on the way.

  Attributes:
    num_steps: steps to take, unless every member fails earlier.
    log_every: steps between evaluations; the first is before any step and the
      last after all of them.
    measure_every: steps between measurements of the problem's dear metrics: at
      the first row of metrics, the last, and the next after so many steps.
    checkpoint_every: steps between checkpoints; 0 for `SECONDS_PER_CHECKPOINT`.
    max_frames: about how many evaluations have a frame; 1 is the last alone.
  """

  num_steps: int
  log_every: int
  measure_every: int
  checkpoint_every: int = 0
  max_frames: int = MAX_FRAMES

  def logs(self, step: int) -> bool:
    """Tells whether a step is evaluated."""
    return step % self.log_every == 0 or step == self.num_steps

  def measures(self, step: int) -> bool:
    """Tells whether the evaluation of a step has the dear metrics."""
    before = step - self.log_every
    due = step // self.measure_every > before // self.measure_every
    return due or step in (0, self.num_steps)

  def draws(self, step: int) -> bool:
    """Tells whether the evaluation of a step has a frame."""
    if self.max_frames == 1:
      return step == self.num_steps
    num_logs = -(-self.num_steps // self.log_every) + 1
    frame_every = self.log_every * -(-num_logs // self.max_frames)
    return step % frame_every == 0 or step == self.num_steps

  def saves(self, step: int, seconds: float) -> bool:
    """Tells whether a checkpoint is due, the last one so many seconds ago."""
    if not self.checkpoint_every:
      return seconds > SECONDS_PER_CHECKPOINT
    return step > 0 and step % self.checkpoint_every == 0

  def next_stop(self, step: int) -> int:
    """Returns the next step after which there is something to do."""
    intervals = [self.log_every]
    if self.checkpoint_every:
      intervals.append(self.checkpoint_every)
    return min(self.num_steps, *(step - step % n + n for n in intervals))


class Clock:
  """Cuts a training into chunks of about `SECONDS_PER_CHUNK`.

  Attributes:
    seconds: that all chunks took.
    num_steps: that the next one may have.
  """

  def __init__(self, seconds: float):
    """Begins, when chunks have taken `seconds` already."""
    self.seconds = seconds
    self.num_steps = 1

  @contextlib.contextmanager
  def chunk(self, num_steps: int) -> Iterator[None]:
    """Times a chunk, and decides how long the next one may be."""
    started = time.perf_counter()
    yield
    elapsed = time.perf_counter() - started
    self.seconds += elapsed
    affordable = int(num_steps / elapsed * SECONDS_PER_CHUNK)
    self.num_steps = max(1, min(affordable, 2 * self.num_steps))
