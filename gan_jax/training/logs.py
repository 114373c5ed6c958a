"""The logs of a training: metrics, arrays to draw, and failed members."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gan_jax.training.population import NEVER
from gan_jax.types import Array, Players


class Failure(NamedTuple):
  """The step at which a cost, gradient or parameter was not finite."""

  seed: int
  step: int
  players: tuple[str, ...]


class Log(NamedTuple):
  """The evaluation of all members after a step.

  Attributes:
    step: steps taken.
    metrics: each [num_seeds]; NaN for members that have failed. Expensive
      metrics are not in every log.
    failures: all failures so far.
    frame: arrays to draw, each [drawn members, ...]; None in most logs of a
      long training.
  """

  step: int
  metrics: dict[str, np.ndarray]
  failures: tuple[Failure, ...]
  frame: dict[str, np.ndarray] | None


def list_failures(
  failed_at: Players[Any], seeds: Sequence[int]
) -> tuple[Failure, ...]:
  """Lists the failed members in order of step.

  Args:
    failed_at: for each player the steps [members]; the first entries belong to
      `seeds`, later ones only fill the devices.
    seeds: [num_seeds].
  """
  failures = []
  of_members = np.stack(failed_at, axis=1)[: len(seeds)]
  for seed, steps in zip(seeds, of_members, strict=True):
    failed = steps != NEVER
    if failed.any():
      first = steps[failed].min()
      players = tuple(np.array(Players._fields)[steps == first].tolist())
      failures.append(Failure(seed, int(first), players))
  return tuple(sorted(failures, key=lambda failure: failure.step))


def add_failures(
  failed_at: Players[np.ndarray], metrics: Mapping[str, np.ndarray], step: int
) -> Players[np.ndarray]:
  """Adds failures that only an evaluation shows to those found by the steps.

  An update can spoil the parameters or the optimizer's state although its costs
  were finite, because the costs are measured before the update.
  """
  return Players(
    *(
      np.where(
        (failed == NEVER)
        & ~np.isfinite(metrics[f"{player}_cost"] + metrics[f"{player}_norm"]),
        np.int32(step),
        failed,
      )
      for player, failed in zip(Players._fields, failed_at, strict=True)
    )
  )


def stack_logs(
  logs: Sequence[Log],
  seeds: Sequence[int],
  reference: Mapping[str, Array],
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Stacks logs along time.

  Returns:
    The logged steps, metrics and snapshots, as in `Result`. A metric is NaN in
    the logs that lack it, such as those of an earlier version.
  """
  absent = np.full(len(seeds), np.nan)
  drawn = [(log.step, log.frame) for log in logs if log.frame is not None]
  metric_names = dict.fromkeys(name for log in logs for name in log.metrics)
  frame_names = drawn[0][1] if drawn else ()
  return (
    np.asarray([log.step for log in logs]),
    {
      name: np.stack([log.metrics.get(name, absent) for log in logs], axis=1)
      for name in metric_names
    },
    {
      **jax.device_get(dict(reference)),
      "step": np.asarray([step for step, _ in drawn]),
      **{
        name: np.stack([frame[name] for _, frame in drawn], axis=1)
        for name in frame_names
      },
    },
  )
