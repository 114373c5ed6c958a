"""Watches a training for members that go wrong, by what was logged.

A member whose numbers are not finite has failed, and the driver drops it. Other
troubles may pass, and are only told. Nothing here is remembered but what the
logs say, which a resumed run has too.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.training.trainer import Failure, Log
from gan_jax.types import Players

PATIENCE = 5
"""Logs in a row that show a trouble which may pass."""
COLLAPSED_SPREAD = 1e-3
"""Of the generated samples, `health.spread`. A generator that knows one of
eight modes on a ring, each .01 of the ring wide, has 2e-4."""
EXPLODED_NORM = 1e3
"""Of a player's parameters, to their first norm or to 1."""
SATURATED_PROBABILITY = 1e-3
"""How near to 1 and 0 the discriminator's means are."""


class Trouble(NamedTuple):
  """What a logged step showed, and the one before did not.

  Attributes:
    step: steps taken.
    seed: of the member.
    kind: one of KINDS.
    message: one line that says it.
  """

  step: int
  seed: int
  kind: str
  message: str


KINDS = ("failed", "exploding", "collapsed", "saturated")
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
"""By kind of trouble."""


def describe(failure: Failure) -> str:
  """Says when a member failed, and what showed it."""
  players = " and the ".join(failure.players)
  return (
    f"a cost, gradient or parameter of the {players} was not finite at step "
    f"{failure.step:,}"
  )


class Guard:
  """Remembers what was seen of each member, to tell what is new or lasts.

  Attributes:
    seeds: of the members.
    troubled: whether each member failed, or is in trouble, [num_seeds].
  """

  def __init__(self, seeds: Sequence[int]):
    self.seeds = seeds
    self.troubled = np.zeros(len(seeds), bool)
    self._failed: set[int] = set()
    self._first_norms: Mapping[str, np.ndarray] = {}
    self._num_logs = {kind: np.zeros(len(seeds), int) for kind in _MESSAGES}

  def observe(self, log: Log) -> tuple[Trouble, ...]:
    """Takes note of a logged step.

    Args:
      log: the next one.

    Returns:
      The troubles that it is the first to show.
    """
    if not self._first_norms:
      self._first_norms = {
        name: np.maximum(log.metrics[name], 1) for name in _NORMS
      }
    troubles = [
      Trouble(log.step, own.seed, "failed", describe(own))
      for own in log.failures
      if own.seed not in self._failed
    ]
    self._failed = {own.seed for own in log.failures}
    self.troubled = np.isin(self.seeds, list(self._failed))
    for kind, shown in self._shown(log.metrics).items():
      count = np.where(shown, self._num_logs[kind] + 1, 0)
      self._num_logs[kind] = count
      patience = 1 if kind == "exploding" else PATIENCE
      self.troubled |= count >= patience
      troubles += [
        Trouble(log.step, self.seeds[int(index)], kind, _MESSAGES[kind])
        for index in np.flatnonzero(count == patience)
      ]
    return tuple(troubles)

  def _shown(self, metrics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tells what a log shows of each member, [num_seeds] by kind."""
    never = np.zeros(len(self.seeds), bool)
    exploding = [
      metrics[name] > EXPLODED_NORM * first
      for name, first in self._first_norms.items()
    ]
    # Comparisons with NaN, which failed members have, are false.
    saturated = never
    if "discriminator_real" in metrics:
      saturated = (
        metrics["discriminator_real"] > 1 - SATURATED_PROBABILITY
      ) & (metrics["discriminator_fake"] < SATURATED_PROBABILITY)
    collapsed = metrics.get("generated_spread", never + np.nan)
    return {
      "exploding": np.any(exploding, axis=0),
      "collapsed": collapsed < COLLAPSED_SPREAD,
      "saturated": saturated,
    }
