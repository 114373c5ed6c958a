"""Means over seeds, their intervals, and whether two means differ."""

import math
from typing import NamedTuple

import numpy as np


class Mean(NamedTuple):
  """A mean with its 95 % confidence interval, mean +- ci95.

  Attributes:
    mean: None without any value, or with infinite values of both signs.
    ci95: half the width of the interval; None below two values, or if one is
      infinite.
    n: number of values, infinite ones included.
  """

  mean: float | None
  ci95: float | None
  n: int


class Difference(NamedTuple):
  """The difference of two means.

  Attributes:
    mean: None where one of the two means is unknown, or both are infinite.
    ci95: half the width of its 95 % confidence interval; None below two values
      on either side, or if one is infinite.
    tie: whether the interval contains 0; None without an interval.
  """

  mean: float | None
  ci95: float | None
  tie: bool | None


def mean_and_interval(values: np.ndarray) -> Mean:
  """Computes the mean and its 95 % confidence interval.

  The interval is mean +- ci95 with

    ci95 = t(0.975, n - 1) * s / sqrt(n),

  Student's t over the n values and s their standard deviation (divisor n - 1).
  A seed whose value is infinite makes the mean infinite: it has diverged, and
  to leave it out would improve the mean.

  Args:
    values: one per seed, [num_seeds]; NaN where a seed has none.
  """
  known = values[~np.isnan(values)]
  n = len(known)
  infinite = np.unique(known[np.isinf(known)])
  if infinite.size:
    return Mean(float(infinite[0]) if infinite.size == 1 else None, None, n)
  ci95 = None
  if n > 1:
    ci95 = float(_student_t(n - 1) * np.std(known, ddof=1) / math.sqrt(n))
  return Mean(float(np.mean(known)) if n else None, ci95, n)


def welch_difference(
  values: np.ndarray, others: np.ndarray, num_pairs: int = 1
) -> Difference:
  """Computes mean(values) - mean(others) for samples of unequal variances.

  With means m, variances s^2 (divisor n - 1) and counts n of the values, a and
  b their two sides, the 95 % confidence interval is m_a - m_b +- ci95,

    ci95 = t(1 - 0.025 / c, d) * sqrt(v_a + v_b),    v = s^2 / n,
    d = (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1)).

  with c = `num_pairs`. The best of k means is chosen after looking at all of
  them. Any of the k (k - 1) / 2 pairs may turn out to be the one that is
  compared, so that each interval has its share of the 5 % (Bonferroni): those
  of all pairs hold together in 95 % of cases.

  Where both variances are 0 the interval is a point, and the two tie if their
  means are equal.

  Args:
    values: one per seed, [num_seeds]; NaN where a seed has none.
    others: the values to compare with, [num_others].
    num_pairs: number of pairs of means of which these are one.

  References:
    B. L. Welch, The generalization of "Student's" problem when several
    different population variances are involved, Biometrika 34 (1947) 28-35;
    d after F. E. Satterthwaite, An approximate distribution of estimates of
    variance components, Biometrics Bulletin 2 (1946) 110-114.
  """
  a, b = (side[~np.isnan(side)] for side in (values, others))
  mean_a, mean_b = (mean_and_interval(side).mean for side in (a, b))
  if mean_a is None or mean_b is None:
    return Difference(None, None, None)
  if np.isinf(mean_a) and np.isinf(mean_b):
    return Difference(None, None, None)
  mean = mean_a - mean_b
  if min(len(a), len(b)) < 2 or np.isinf(mean):
    return Difference(mean, None, None)
  v_a, v_b = (float(np.var(side, ddof=1)) / len(side) for side in (a, b))
  total = v_a + v_b
  if total == 0:
    return Difference(mean, 0.0, mean == 0)
  # Shares of the total: the squares of tiny variances would underflow to 0.
  degrees = 1 / (
    (v_a / total) ** 2 / (len(a) - 1) + (v_b / total) ** 2 / (len(b) - 1)
  )
  ci95 = _student_t(degrees, num_pairs) * math.sqrt(total)
  return Difference(mean, ci95, abs(mean) <= ci95)


def fraction_interval(fraction: float, n: int) -> tuple[float, float]:
  """Computes the 95 % confidence interval of a probability.

  The ends are the probabilities of which at least, and at most, as many of n
  draws succeed with probability 0.025; the lower end is 0 for no success, and
  the upper end 1 for no failure.

  Args:
    fraction: successes / n; the number of successes need not be whole.
    n: number of independent draws; the interval is [0, 1] if it is 0.

  References:
    C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits
    illustrated in the case of the binomial, Biometrika 26 (1934) 404-413.
  """
  from scipy.special import betaincinv

  if not n:
    return 0.0, 1.0
  successes, failures = n * fraction, n * (1 - fraction)
  lower, upper = 0.0, 1.0
  if successes > 0:
    lower = float(betaincinv(successes, failures + 1, 0.025))
  if failures > 0:
    upper = float(betaincinv(successes + 1, failures, 0.975))
  return lower, upper


def _student_t(degrees: float, num_intervals: int = 1) -> float:
  """Returns the 1 - 0.025 / num_intervals quantile of Student's t."""
  # Imported late: SciPy takes longer than the rest of a command's start.
  from scipy.special import stdtrit

  # The lower tail, which keeps its digits next to 0.
  return -float(stdtrit(degrees, 0.025 / num_intervals))
