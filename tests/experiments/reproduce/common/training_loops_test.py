"""Critics trained between two fixed distributions."""

import numpy as np
import optax
from absl.testing import absltest

from experiments.reproduce.common import training_loops
from gan_jax import losses, penalties
from gan_jax.data import densities
from gan_jax.networks.mlp import MLP


class TrainCriticsTest(absltest.TestCase):
  def test_a_linear_critic(self):
    x = np.array([0.0, 1.0])
    trained = training_loops.train_critics(
      densities.normal(3.0, 0.1),
      densities.normal(1.0, 0.1),
      MLP((), features=1),
      losses.wasserstein(),
      optax.chain(optax.sgd(0.1), penalties.weight_clipping(0.5)),
      num_steps=30,
      batch_size=256,
      seeds=(0, 5),
      x=x,
    )
    self.assertEqual(trained.values.shape, (2, 2))
    # w x + b gains 2 w, so w climbs to the limit 0.5; b gains nothing.
    np.testing.assert_allclose(np.diff(trained.values), 0.5, rtol=1e-6)
    # w (3 - 1) = 1, and a standard error of 0.5 * 0.1 * sqrt(2 / 256) = 0.004:
    # the fake samples have stayed around 1.
    objective = trained.metrics["critic_real"] - trained.metrics["critic_fake"]
    self.assertEqual(objective.shape, (2, 30))
    np.testing.assert_allclose(objective[:, -1], 1.0, atol=0.03)
    self.assertNotEqual(*objective[:, 0])

  def test_in_the_plane(self):
    def around(x, y):
      return densities.mixture(np.array([[x, y]]), np.full(1, 0.1))

    trained = training_loops.train_critics(
      around(3.0, 0.0),
      around(0.0, 4.0),
      MLP((), features=1),
      losses.wasserstein(),
      optax.chain(optax.sgd(0.1), penalties.weight_clipping(0.5)),
      num_steps=30,
      batch_size=64,
      seeds=(0, 5),
      x=np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
    )
    # v x + w y + b gains 3 v - 4 w, so both climb to their limits.
    kernel = trained.params["Dense_0"]["kernel"]
    np.testing.assert_allclose(kernel[:, :, 0], [[0.5, -0.5]] * 2, rtol=1e-6)
    rises = trained.values[:, 1:] - trained.values[:, :1]
    np.testing.assert_allclose(rises, kernel[:, :, 0], rtol=1e-5)

  def test_seeds_repeat(self):
    def values(seeds):
      return training_loops.train_critics(
        densities.normal(3.0, 0.1),
        densities.normal(1.0, 0.1),
        MLP((4,), features=1),
        losses.minimax(),
        optax.sgd(0.1),
        num_steps=3,
        batch_size=8,
        seeds=seeds,
        x=np.array([2.0]),
      ).values

    np.testing.assert_allclose(values((2, 1)), values((1, 2))[::-1], rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
