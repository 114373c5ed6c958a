"""Warns when a seed's training goes wrong, from the logged metrics alone.

A seed with values that are not finite has failed, and the training drops it.
Other warnings may pass. A resumed run reads its logs again, so the monitor
needs no file.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gan_jax.training import Failure, Log
from gan_jax.types import Players

PATIENCE = 5
"""How many logs in a row must show a problem before a warning is given."""
COLLAPSED_SPREAD = 1e-3
"""Bound on `health.spread`. A generator that knows one of eight modes on a
ring, each .01 of the ring wide, has 2e-4."""
NARROW_STEPS = 500
"""A generator may be this narrow at its start, which is no collapse: samples
that have never been wider are narrow only after so many steps."""
EXPLODED_NORM = 1e3
"""Bound on the norm of a player's parameters over its first norm, or over 1."""
SATURATED_PROBABILITY = 1e-3
"""Bound on the distance of the discriminator's means from 1 and 0."""


class HealthWarning(NamedTuple):
  """A problem of one seed that is new in the latest log.

  Attributes:
    step: steps taken.
    seed: seed of the member.
    kind: one of `run_logs.WARNINGS`.
    message: one line.
  """

  step: int
  seed: int
  kind: str
  message: str


_NORMS = tuple(f"{player}_norm" for player in Players._fields)
_MESSAGES = {
  "exploding": (
    f"a player's parameters have grown {EXPLODED_NORM:,.0f}-fold in norm"
  ),
  "collapsed": (
    f"the generated samples have had less than {COLLAPSED_SPREAD:g} of the "
    f"data's variance for {PATIENCE} rows of metrics"
  ),
  "saturated": (
    "the discriminator has been certain of all samples, real and generated, "
    f"for {PATIENCE} rows of metrics"
  ),
}


def describe(failure: Failure) -> str:
  """Describes when a seed failed, and which player's values showed it."""
  players = " and the ".join(failure.players)
  return (
    f"a cost, gradient or parameter of the {players} was not finite at step "
    f"{failure.step:,}"
  )


class Monitor:
  """Turns the logs of a run, in order, into warnings about its seeds.

  Attributes:
    seeds: [num_seeds].
    warned: whether each seed has failed or a warning holds, [num_seeds].
  """

  def __init__(self, seeds: Sequence[int]):
    self.seeds = seeds
    self.warned = np.zeros(len(seeds), bool)
    self._failed: set[int] = set()
    self._first_norms: Mapping[str, np.ndarray] = {}
    self._was_wide = np.zeros(len(seeds), bool)
    self._num_logs = {kind: np.zeros(len(seeds), int) for kind in _MESSAGES}

  def observe(self, log: Log) -> tuple[HealthWarning, ...]:
    """Returns the warnings that the next log is the first to show."""
    if not self._first_norms:
      self._first_norms = {
        name: np.maximum(log.metrics[name], 1) for name in _NORMS
      }
    warnings = [
      HealthWarning(log.step, failure.seed, "failed", describe(failure))
      for failure in log.failures
      if failure.seed not in self._failed
    ]
    self._failed = {failure.seed for failure in log.failures}
    self.warned = np.isin(self.seeds, list(self._failed))
    for kind, shown in self._problems(log.step, log.metrics).items():
      count = np.where(shown, self._num_logs[kind] + 1, 0)
      self._num_logs[kind] = count
      patience = 1 if kind == "exploding" else PATIENCE
      self.warned |= count >= patience
      warnings += [
        HealthWarning(log.step, self.seeds[int(index)], kind, _MESSAGES[kind])
        for index in np.flatnonzero(count == patience)
      ]
    return tuple(warnings)

  def _problems(
    self, step: int, metrics: Mapping[str, np.ndarray]
  ) -> dict[str, np.ndarray]:
    """Returns which seeds show each kind of problem, [num_seeds] each."""
    never = np.zeros(len(self.seeds), bool)
    exploding = [
      metrics[name] > EXPLODED_NORM * first
      for name, first in self._first_norms.items()
    ]
    # Comparisons with NaN, the metrics of failed seeds, are false.
    saturated = never
    if "discriminator_real" in metrics:
      saturated = (
        metrics["discriminator_real"] > 1 - SATURATED_PROBABILITY
      ) & (metrics["discriminator_fake"] < SATURATED_PROBABILITY)
    spread = metrics.get("generated_spread", never + np.nan)
    self._was_wide |= spread >= COLLAPSED_SPREAD
    expects_wide = self._was_wide | (step >= NARROW_STEPS)
    return {
      "exploding": np.any(exploding, axis=0),
      "collapsed": (spread < COLLAPSED_SPREAD) & expects_wide,
      "saturated": saturated,
    }
