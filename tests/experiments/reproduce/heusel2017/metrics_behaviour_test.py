"""The closed forms of the figure of metrics, by dense matrices and moments."""

import itertools
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import linalg

from experiments.reproduce.heusel2017 import metrics_behaviour as figure

CASES = tuple(itertools.product(figure.COLORS, (0.4, 1.0)))


def covariance(spectrum):
  """Returns the covariance [d, d] of stationary signals."""
  return linalg.circulant(np.fft.ifft(spectrum).real)


def moments(disturbance, level):
  """Returns the means of x, x x and x x x of disturbed features."""
  s = covariance(figure.SPECTRUM)
  parts = [(1.0, np.zeros(figure.DIM), s)]
  if disturbance == "noise":
    parts = [(1.0, np.zeros(figure.DIM), s + level * np.eye(figure.DIM))]
  elif disturbance == "blur":
    gains = np.exp(-((figure.FREQUENCIES * level / 2) ** 2) / 2)
    blur = covariance(gains)
    parts = [(1.0, np.zeros(figure.DIM), blur @ s @ blur.T)]
  elif disturbance == "other data":
    other = np.full(figure.DIM, figure.SHIFT)
    parts = [(1 - level, 0 * other, s), (level, other, s)]
  weights = np.array([w for w, _, _ in parts])
  first = np.tensordot(weights, np.array([m for _, m, _ in parts]), 1)
  seconds = np.array([np.outer(m, m) + c for _, m, c in parts])
  third = sum(
    w
    * (
      np.einsum("i,j,k->ijk", m, m, m)
      + np.einsum("i,jk->ijk", m, c)
      + np.einsum("j,ik->ijk", m, c)
      + np.einsum("k,ij->ijk", m, c)
    )
    for w, m, c in parts
  )
  return first, np.tensordot(weights, seconds, 1), third


class ClosedFormsTest(parameterized.TestCase):
  @parameterized.parameters(*CASES)
  def test_frechet(self, disturbance, level):
    mean, second, _ = moments(disturbance, level)
    changed, plain = second - np.outer(mean, mean), moments("", 0.0)[1]
    # Products of two covariances have positive eigenvalues.
    cross = np.sum(np.sqrt(np.linalg.eigvals(plain @ changed).real))
    expected = mean @ mean + np.trace(plain + changed) - 2 * cross
    np.testing.assert_allclose(
      figure.frechet_of_normals(disturbance, level), expected, rtol=1e-6
    )

  @parameterized.parameters(*CASES)
  def test_discrepancy(self, disturbance, level):
    # The cube of 1 + x.y / d is a sum of products of moments.
    pairs = zip(moments("", 0.0), moments(disturbance, level), strict=True)
    expected = sum(
      factor * np.sum((a - b) ** 2) / figure.DIM**power
      for (power, factor), (a, b) in zip(
        ((1, 3), (2, 3), (3, 1)), pairs, strict=True
      )
    )
    np.testing.assert_allclose(
      figure.discrepancy_of_normals(disturbance, level), expected, rtol=1e-9
    )

  def test_biases_of_white_features(self):
    d = figure.DIM
    with mock.patch.object(figure, "SPECTRUM", np.ones(d)):
      self.assertAlmostEqual(figure.first_order_bias(), d * (d + 5) / 2)
      # |x|^2 has the moments of chi-squared.
      itself = 4 + 3 * (d + 2) / d + (d + 2) * (d + 4) / d**2
      self.assertAlmostEqual(
        figure.diagonal_bias(10), 2 * (itself - 1 - 3 / d) / 10
      )

  def test_features_have_the_spectrum(self):
    x = np.asarray(figure.features(jax.random.key(0), 20_000))
    power = np.mean(np.abs(np.fft.fft(x)) ** 2, axis=0) / figure.DIM
    np.testing.assert_allclose(power, figure.SPECTRUM, rtol=0.05)


if __name__ == "__main__":
  absltest.main()
