"""The optimal critic between a few points and a sample."""

from typing import NamedTuple

import numpy as np
from scipy import optimize
from scipy.spatial import distance


class Optimal(NamedTuple):
  """The Wasserstein-1 distance and the critic that attains it.

  Attributes:
    wasserstein_1: the distance.
    atoms: [k, d], the points on one side.
    potentials: [k], the critic's values there.
  """

  wasserstein_1: float
  atoms: np.ndarray
  potentials: np.ndarray

  def critic(self, x: np.ndarray) -> np.ndarray:
    """Evaluates D(x) = max_k (v_k - |x - a_k|) at x [n, d] -> [n]."""
    return np.max(self.potentials - distance.cdist(x, self.atoms), axis=1)


def best(atoms: np.ndarray, sample: np.ndarray) -> Optimal:
  """Finds the best 1-Lipschitz critic of k points against a sample.

  W1 = max over v of  1/k sum_k v_k - 1/n sum_i max_k (v_k - |y_i - a_k|).

  The two terms are the critic's means over the points and over the sample. With
  finitely many points on one side, the dual is a concave maximum over their
  potentials v. Its slope in v_k is 1/k minus the share of the sample for which
  the maximum is at k.

  Args:
    atoms: [k, d], points a_k of equal mass.
    sample: [n, d], the sample y_i.

  References:
    Peyre and Cuturi, Computational Optimal Transport, arXiv 1803.00567,
    section 5.2.
  """
  k, n = len(atoms), len(sample)
  costs = distance.cdist(sample, atoms)

  def negative_dual(potentials):
    values = potentials - costs
    owner = np.argmax(values, axis=1)
    shares = np.bincount(owner, minlength=k) / n
    dual = np.mean(potentials) - np.mean(values[np.arange(n), owner])
    return -dual, shares - 1 / k

  found = optimize.minimize(
    negative_dual, np.zeros(k), jac=True, method="L-BFGS-B"
  )
  return Optimal(-float(found.fun), atoms, found.x)
