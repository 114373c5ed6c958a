"""Whether two means differ by more than the noise of their seeds."""

import math
from typing import NamedTuple

import numpy as np


class Difference(NamedTuple):
  """How far a mean is from another one.

  Attributes:
    mean: their difference; None where one of them is not known.
    ci95: half of its 95 % confidence interval; None below two values each.
    tie: whether the interval contains 0; None where there is none.
  """

  mean: float | None
  ci95: float | None
  tie: bool | None


def difference(values: np.ndarray, others: np.ndarray) -> Difference:
  """Subtracts the mean of `others` from that of `values`, of unlike variances.

  With means m, variances s^2 (divisor n - 1) and counts n of the finite values,
  a and b their two sides, the 95 % confidence interval is m_a - m_b +- ci95,

    ci95 = t(0.975, d) * sqrt(v_a + v_b),    v = s^2 / n,
    d = (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1)).

  Where both variances are 0 the interval is a point, and the difference itself
  decides whether it is a tie.

  Args:
    values: one for each seed, [num_seeds]; NaN where a seed has none.
    others: the same of what it is compared with, [num_others].

  Returns:
    The difference.

  References:
    B. L. Welch, The generalization of "Student's" problem when several
    different population variances are involved, Biometrika 34 (1947) 28-35;
    d after F. E. Satterthwaite, An approximate distribution of estimates of
    variance components, Biometrics Bulletin 2 (1946) 110-114.
  """
  sides = [own[np.isfinite(own)] for own in (values, others)]
  if not all(len(own) for own in sides):
    return Difference(None, None, None)
  mean = float(np.mean(sides[0]) - np.mean(sides[1]))
  if any(len(own) < 2 for own in sides):
    return Difference(mean, None, None)
  squares = [float(np.var(own, ddof=1)) / len(own) for own in sides]
  total = sum(squares)
  if total == 0:
    return Difference(mean, 0.0, mean == 0)
  # Imported late: it takes longer than the rest of a command's start.
  from scipy.special import stdtrit

  # Shares of the total, whose squares do not vanish as those of tiny variances.
  freedom = 1 / sum(
    (square / total) ** 2 / (len(own) - 1)
    for square, own in zip(squares, sides, strict=True)
  )
  ci95 = float(stdtrit(freedom, 0.975)) * math.sqrt(total)
  return Difference(mean, ci95, abs(mean) <= ci95)
