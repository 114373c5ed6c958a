"""Checks of a figure: a measured number, what it should be, and why.

A check of trained networks takes the numbers of all seeds. It compares their
95 % confidence interval with the expectation, because a single training is
chaotic: other seeds, and the same seed on another machine, end elsewhere.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.typing import ArrayLike

from gan_jax import statistics

_DISTANCES: Mapping[str, Callable[[float, float], float]] = {
  # (measured, expected) -> how far the claim is from true; at most 0 if it is.
  # The difference of two equal infinities is NaN, so equality is tested first.
  "within": lambda measured, expected: (
    0.0 if measured == expected else abs(measured - expected)
  ),
  "at least": lambda measured, expected: expected - measured,
  "at most": lambda measured, expected: measured - expected,
}


class Check(NamedTuple):
  """A measured number of a figure and its expected value.

  Attributes:
    name: what is measured.
    measured: the number, or its mean over seeds.
    expected: the expected value. None if only a published number or statement
      is known; the check then neither passes nor fails.
    tolerance: the largest distance from the expected value that passes.
    origin: where `expected` comes from: a closed form, a quadrature, or a
      publication.
    relation: "within", "at least" or "at most".
    ci95: half of the 95 % confidence interval over seeds; None for a single
      number.
    published: the published number, for comparison only.
    place: the table, figure or file that prints `published`; empty if it could
      not be found in the publication.
  """

  name: str
  measured: float
  expected: float | None
  tolerance: float
  origin: str
  relation: str = "within"
  ci95: float | None = None
  published: float | None = None
  place: str = ""

  @property
  def unconfirmed(self) -> bool:
    """Whether there is a published number without a place."""
    return self.published is not None and not self.place

  @property
  def provenance(self) -> str:
    """Whether the expected number is computed, published or unconfirmed.

    If nothing is expected, the number is the published one.
    """
    if self.expected is not None and self.expected != self.published:
      return "computed"
    return "unconfirmed" if self.unconfirmed else "published"

  @property
  def passed(self) -> bool | None:
    """Whether the check passes; None if nothing is expected.

    NaN never passes. An interval passes if a part of it lies within the
    tolerance, and if it is not wider than the tolerance: a wider one would
    agree with anything.
    """
    if self.expected is None:
      return None
    distance = _DISTANCES[self.relation](self.measured, self.expected)
    if self.ci95 is None:
      return bool(distance <= self.tolerance)
    return bool(
      self.ci95 <= self.tolerance and distance - self.ci95 <= self.tolerance
    )

  def record(self) -> dict[str, Any]:
    """Returns the check as it is written to the figure's JSON file."""
    return {
      name: _json_number(value) if isinstance(value, float) else value
      for name, value in {
        **self._asdict(),
        "unconfirmed": self.unconfirmed,
        "provenance": self.provenance,
        "passed": self.passed,
      }.items()
    }


def close(
  name: str,
  measured: ArrayLike,
  expected: ArrayLike,
  tolerance: float,
  origin: str,
  published: float | None = None,
  place: str = "",
) -> Check:
  """Checks that a number is within a tolerance of the expected one."""
  return Check(
    name,
    float(np.asarray(measured)),
    float(np.asarray(expected)),
    float(tolerance),
    origin,
    published=published,
    place=place,
  )


def covers(
  name: str,
  per_seed: Sequence[float] | np.ndarray,
  expected: float,
  margin: float,
  origin: str,
  published: float | None = None,
  place: str = "",
) -> Check:
  """Checks that the interval over seeds comes near to the expected number."""
  return _check(name, per_seed, expected, origin, margin, published, place)


def compare(
  name: str, measured: ArrayLike, published: float, place: str = ""
) -> Check:
  """Shows a published number beside the measured one, without judging it."""
  return Check(
    name,
    float(np.asarray(measured)),
    None,
    0.0,
    "",
    published=published,
    place=place,
  )


def observed(
  name: str, per_seed: Sequence[float] | np.ndarray, origin: str
) -> Check:
  """Shows an interval over seeds beside what a text says; judges not."""
  check = _check(name, per_seed, math.nan, origin)
  return check._replace(expected=None)


def _check(
  name: str,
  measured: ArrayLike | Sequence[float],
  expected: float,
  origin: str,
  margin: float = 0.0,
  published: float | None = None,
  place: str = "",
  *,
  relation: str = "within",
) -> Check:
  """Checks one number [] or the interval over the numbers of seeds [n]."""
  values = np.asarray(measured, float)
  mean, ci95 = float(np.mean(values)), None
  if values.ndim:
    if len(values) < 2:
      raise ValueError(f"{name} needs at least two seeds for an interval")
    ci95 = statistics.mean_and_interval(values).ci95
    # A seed that failed has NaN, and its check fails.
    ci95 = math.nan if ci95 is None or math.isnan(mean) else ci95
  return Check(
    name,
    mean,
    float(expected),
    float(margin),
    origin,
    relation,
    ci95,
    published,
    place,
  )


at_least = functools.partial(_check, relation="at least")
"""Checks that a number, or the interval over seeds, is large enough."""
at_most = functools.partial(_check, relation="at most")
"""Checks that a number, or the interval over seeds, is small enough."""


def lower_end(per_seed: Sequence[float] | np.ndarray) -> float:
  """Returns the lower end of a mean's 95 % interval, NaN if it has none.

  A check that it is at least 0 claims that the mean is positive beyond doubt;
  an interval in `at_least` only has to come near.
  """
  values = np.asarray(per_seed, float)
  ci95 = statistics.mean_and_interval(values).ci95
  return math.nan if ci95 is None else float(np.mean(values)) - ci95


def _json_number(value: float) -> float | str:
  """Writes inf, -inf and nan as strings, because JSON has no such numbers."""
  return value if math.isfinite(value) else str(value)
