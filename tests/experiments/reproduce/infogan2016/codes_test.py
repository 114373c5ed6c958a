"""Codes of digits: matching, checks on made-up numbers, and the picture."""

import itertools
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.infogan2016 import codes
from experiments.reproduce.infogan2016.codes import FREE, TOLD
from gan_jax.data.images import Images

NOISE = np.array([-0.01, 0.0, 0.01])


def checks(told=2.28, free=0.1, code_error=0.1, error=0.08, clusters=0.4):
  return codes.check(
    {TOLD: told + NOISE, FREE: free + NOISE},
    code_error + NOISE,
    error + NOISE,
    clusters + NOISE,
  )


class ChecksTest(parameterized.TestCase):
  def test_numbers_of_the_literature_pass(self):
    made = checks()
    for each in made:
      self.assertIs(each.passed, True, each)
    self.assertEqual([each.published for each in made],
                     [2.3, None, None, 0.05, None])  # fmt: skip

  @parameterized.parameters(
    ({"told": 2.1}, [0]),
    ({"free": 0.7}, [1]),
    ({"code_error": 1 / 3}, [2]),
    ({"error": 0.3}, [3]),
    ({"error": 0.42}, [3, 4]),
    ({"told": 0.1, "free": 2.28}, [0, 1]),
  )
  def test_mistakes(self, changed, expected):
    made = checks(**changed)
    found = [index for index, each in enumerate(made) if not each.passed]
    self.assertEqual(found, expected)


class MatchingTest(absltest.TestCase):
  def test_best_names_by_enumeration(self):
    rng = np.random.default_rng(0)
    categories = rng.integers(0, 4, 200)
    labels = np.where(
      rng.uniform(size=200) < 0.6, (categories + 1) % 4, rng.integers(0, 4, 200)
    )
    with mock.patch.object(codes, "NUM_CATEGORIES", 4):
      error, names = codes.matched_error(categories, labels)
    errors = {
      each: np.mean(np.array(each)[categories] != labels)
      for each in itertools.permutations(range(4))
    }
    best = min(errors, key=lambda each: errors[each])
    self.assertEqual(tuple(names), best)
    self.assertAlmostEqual(error, errors[best])

  def test_two_categories_of_one_digit_share_no_name(self):
    error, names = codes.matched_error(np.arange(100) % 10, np.zeros(100, int))
    self.assertLen(set(names), 10)
    self.assertAlmostEqual(error, 0.9)

  def test_k_means_finds_clusters(self):
    rng = np.random.default_rng(1)
    labels = np.arange(200) % 10
    pixels = np.zeros((200, 2, 5, 1), np.uint8)
    pixels.reshape(200, 10)[np.arange(200), labels] = 200
    pixels += rng.integers(0, 20, pixels.shape, dtype=np.uint8)
    images = Images(pixels, labels, tuple("0123456789"))
    self.assertEqual(codes.clusters_error(images, images, 0), 0)


class DrawTest(absltest.TestCase):
  def test_picture(self):
    figure = codes.draw(
      {
        "sweeps": [np.zeros((100, 28, 28, 1), np.uint8)] * 2,
        "curves": {
          name: (np.arange(5), np.full((3, 5), value))
          for name, value in ((TOLD, 2.2), (FREE, 0.1))
        },
        "errors": {"category": [0.1, 0.2, 0.1], "k-means": [0.4, 0.4, 0.5]},
      }
    )
    self.assertIsInstance(figure, Figure)


if __name__ == "__main__":
  absltest.main()
