"""When a training loop evaluates, draws and saves its members."""

import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

MAX_FRAMES = 101
SECONDS_PER_CHUNK = 0.5
SECONDS_PER_CHECKPOINT = 60


class Schedule(NamedTuple):
  """The length of a training, and what happens at which step.

  Attributes:
    num_steps: steps to take; fewer if every member fails earlier.
    log_every: steps between rows of metrics. The first row is at step 0, the
      last one after all steps.
    measure_every: steps between measurements of the expensive metrics, which
      are in the first row, the last, and the next row after so many steps.
    checkpoint_every: steps between checkpoints; 0 for one a minute.
    max_frames: about how many rows have a frame; 1 for the last row alone.
  """

  num_steps: int
  log_every: int
  measure_every: int = 1
  checkpoint_every: int = 0
  max_frames: int = MAX_FRAMES

  def logs_at(self, step: int) -> bool:
    """Tells whether a step has a row of metrics."""
    return step % self.log_every == 0 or step == self.num_steps

  def measures_at(self, step: int) -> bool:
    """Tells whether the row of a step has the expensive metrics."""
    before = step - self.log_every
    due = step // self.measure_every > before // self.measure_every
    return due or step in (0, self.num_steps)

  def draws_at(self, step: int) -> bool:
    """Tells whether the row of a step has a frame."""
    if self.max_frames == 1:
      return step == self.num_steps
    num_logs = -(-self.num_steps // self.log_every) + 1
    frame_every = self.log_every * -(-num_logs // self.max_frames)
    return step % frame_every == 0 or step == self.num_steps

  def saves_at(self, step: int, seconds: float) -> bool:
    """Tells whether a checkpoint is due, `seconds` after the last one."""
    if not self.checkpoint_every:
      return seconds > SECONDS_PER_CHECKPOINT
    return step > 0 and step % self.checkpoint_every == 0

  def next_stop(self, step: int) -> int:
    """Returns the next step after which the host has something to do."""
    intervals = [self.log_every]
    if self.checkpoint_every:
      intervals.append(self.checkpoint_every)
    return min(self.num_steps, *(step - step % n + n for n in intervals))


class Stopwatch:
  """Times a training, and makes its chunks last about `SECONDS_PER_CHUNK`.

  Attributes:
    num_steps: of the next chunk at most.
  """

  def __init__(self, step: int = 0, seconds: float = 0.0):
    """Starts at a step of a training that took `seconds` before it."""
    self.num_steps = 1
    self._start = step, seconds
    self._rate = step / seconds if seconds else 0.0
    self._is_warm = False
    self._began = time.perf_counter() - seconds

  @property
  def seconds(self) -> float:
    """Seconds of training until now, also of earlier processes."""
    return time.perf_counter() - self._began

  def rate(self, step: int) -> float:
    """Returns the steps per second since the first chunk, at a step.

    What is imported and allocated around the first chunk takes seconds, so
    that it counts alone until there are more. Before it the rate is that of the
    earlier processes, 0 if there were none.
    """
    first, before = self._start
    if step == first:
      return self._rate
    return (step - first) / (self.seconds - before)

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Leaves out the seconds of a context."""
    paused = time.perf_counter()
    yield
    self._began += time.perf_counter() - paused

  @contextlib.contextmanager
  def chunk(self, num_steps: int) -> Iterator[None]:
    """Times a chunk and sets the length of the next one."""
    started = time.perf_counter()
    yield
    elapsed = time.perf_counter() - started
    if not self._is_warm:
      self._is_warm, self._rate = True, num_steps / elapsed
      self._start = self._start[0] + num_steps, self.seconds
    affordable = int(num_steps / elapsed * SECONDS_PER_CHUNK)
    self.num_steps = max(1, min(affordable, 2 * self.num_steps))
