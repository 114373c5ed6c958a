"""Scores of samplers of mixtures whose faults are known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.run_folder.results import Results
from gan_jax.data import densities
from gan_jax.metrics import modes

N = 2500
DENSITIES = {
  "ring": densities.ring(),
  "grid": densities.grid(),
  "swiss_roll": densities.swiss_roll(),
}


def score_of(name, metrics, n=N):
  """Scores metrics [num_seeds] of n samples."""
  experiment = BY_NAME[name]
  settings = experiment.settings.replace(evaluation_samples=n)
  num_seeds = len(next(iter(metrics.values())))
  run = Results(
    name,
    dataclasses.asdict(settings),
    np.arange(num_seeds),
    np.zeros(1, int),
    {key: np.asarray(value)[:, None] for key, value in metrics.items()},
    {},
  )
  score = experiment.score(run)
  assert score.shape == (num_seeds, 1)
  return score[:, 0]


def drawn(name, shares, quality, num_seeds=50):
  """Measures draws: a share of samples of each mode, and of good samples."""
  density = DENSITIES[name]

  def draw(key):
    keys = jax.random.split(key, 3)
    mode = jax.random.choice(keys[0], len(shares), (N,), p=jnp.asarray(shares))
    noise = jax.random.normal(keys[1], (N, 2))
    # 8 standard deviations from a mode is bad, and still nearest to it.
    bad = jax.random.uniform(keys[2], (N, 1)) > quality
    noise = jnp.where(bad, jnp.array([[-8.0, 0.0]]), noise)
    stddev = density.mode_stddev[mode, None]
    return modes.measure(density.modes[mode] + stddev * noise, density)

  keys = jax.random.split(jax.random.key(0), num_seeds)
  return jax.jit(lambda keys: jax.lax.map(draw, keys))(keys)


class ScoreTest(parameterized.TestCase):
  @parameterized.product(name=tuple(DENSITIES), n=(64, N))
  def test_the_data_scores_one(self, name, n):
    density = DENSITIES[name]
    keys = jax.random.split(jax.random.key(0), 100)
    metrics = jax.jit(
      lambda keys: jax.lax.map(
        lambda key: modes.measure(density.sample(key, n), density), keys
      )
    )(keys)
    # Half of the draws are above the mean, where the score is clipped. Relative
    # to it the overlap has a standard deviation of up to 0.06 for 64 samples.
    scores = score_of(name, metrics, n)
    np.testing.assert_allclose(
      scores.mean(), 1, atol=0.04 if n == 64 else 0.005
    )
    self.assertEqual(scores.max(), 1)

  def test_starved_modes(self):
    # Four of the eight modes share 2 % of the samples, and all are covered.
    shares = np.repeat([0.98 / 4, 0.02 / 4], 4)
    metrics = drawn("ring", shares, 1.0)
    self.assertGreater(np.mean(metrics["modes_covered"]), 7.9)
    self.assertEqual(np.mean(metrics["modes_balanced"]), 4)
    self.assertGreater(np.mean(metrics["reverse_kl"]), 0.5)
    # Half of the mass, and the good ones of 2 %.
    expected = (0.5 + 0.02 * 0.98889) / 0.97293
    np.testing.assert_allclose(
      score_of("ring", metrics).mean(), expected, atol=0.002
    )

  def test_even_modes_of_poor_samples(self):
    # Three quarters of the samples are good, evenly over the modes.
    metrics = drawn("ring", np.full(8, 1 / 8), 0.75)
    self.assertLess(np.mean(metrics["reverse_kl"]), 0.005)
    even = score_of("ring", metrics).mean()
    # Without the loss that chance costs a perfect sampler.
    np.testing.assert_allclose(even, 0.75 * 0.98889 / 0.97293, atol=0.005)
    starved = drawn("ring", np.repeat([0.98 / 4, 0.02 / 4], 4), 1.0)
    self.assertGreater(even, score_of("ring", starved).mean() + 0.2)

  def test_one_mode_of_the_grid(self):
    shares = np.eye(25)[7]
    scores = score_of("grid", drawn("grid", shares, 1.0))
    np.testing.assert_allclose(scores, 0.04 / 0.95528, rtol=1e-4)

  def test_a_run_that_did_not_measure_the_overlap_has_no_score(self):
    metrics = {"modes_covered": [8.0, 7.0], "high_quality_fraction": [1.0, 0.9]}
    np.testing.assert_array_equal(score_of("ring", metrics), [np.nan, np.nan])


if __name__ == "__main__":
  absltest.main()
