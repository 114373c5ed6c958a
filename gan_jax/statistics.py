"""Welch's test: whether two means over seeds differ significantly."""

import math
from typing import NamedTuple

import numpy as np


class Difference(NamedTuple):
  """The difference of two means.

  Attributes:
    mean: the difference; None if one side has no finite values.
    ci95: half the width of its 95 % confidence interval; None if one side has
      fewer than two finite values.
    tie: whether the interval contains 0; None if there is no interval.
  """

  mean: float | None
  ci95: float | None
  tie: bool | None


def difference(values: np.ndarray, others: np.ndarray) -> Difference:
  """Subtracts the mean of `others` from that of `values`, with an interval.

  With means m, variances s^2 (divisor n - 1) and counts n of the finite numbers
  in a = `values` and b = `others`, which may have different variances, the 95 %
  confidence interval is m_a - m_b +- ci95,

    ci95 = t(0.975, d) * sqrt(v_a + v_b),    v = s^2 / n,
    d = (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1)).

  If both variances are 0 the interval is a point, and it is a tie if the means
  are equal.

  Args:
    values: [num_seeds]; NaN for a seed without a value.
    others: [num_others], the same for the other group.

  References:
    B. L. Welch, The generalization of "Student's" problem when several
    different population variances are involved, Biometrika 34 (1947) 28-35;
    d after F. E. Satterthwaite, An approximate distribution of estimates of
    variance components, Biometrics Bulletin 2 (1946) 110-114.
  """
  sides = [side[np.isfinite(side)] for side in (values, others)]
  if not all(len(side) for side in sides):
    return Difference(None, None, None)
  mean = float(np.mean(sides[0]) - np.mean(sides[1]))
  if any(len(side) < 2 for side in sides):
    return Difference(mean, None, None)
  squares = [float(np.var(side, ddof=1)) / len(side) for side in sides]
  total = sum(squares)
  if total == 0:
    return Difference(mean, 0.0, mean == 0)
  # Imported here because it would double the time that commands take to start.
  from scipy.special import stdtrit

  # Dividing by the total first avoids underflow in squares of tiny variances.
  freedom = 1 / sum(
    (square / total) ** 2 / (len(side) - 1)
    for square, side in zip(squares, sides, strict=True)
  )
  ci95 = float(stdtrit(freedom, 0.975)) * math.sqrt(total)
  return Difference(mean, ci95, abs(mean) <= ci95)
