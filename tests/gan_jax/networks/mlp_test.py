"""The multilayer perceptron against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from flax import linen as nn

from gan_jax.networks.mlp import MLP

KEY = jax.random.key(1)


class MLPTest(parameterized.TestCase):
  @parameterized.parameters((), (4,), (4, 5))
  def test_matches_numpy(self, *hidden):
    network = MLP(
      hidden=hidden, features=3, bias_init=nn.initializers.constant(0.1)
    )
    x = jax.random.normal(KEY, (6, 2))
    params = network.init(KEY, x)
    expected = np.asarray(x)
    for index in range(len(hidden) + 1):
      dense = params["params"][f"Dense_{index}"]
      if index:
        expected = np.maximum(expected, 0)
      expected = expected @ np.asarray(dense["kernel"]) + np.asarray(
        dense["bias"]
      )
    np.testing.assert_allclose(
      np.asarray(network.apply(params, x)), expected, rtol=1e-5
    )

  def test_dropout_drops_hidden_units_and_keeps_the_mean(self):
    # One hidden unit of value 1, kept with probability 0.75 and scaled by 4/3.
    network = MLP(
      hidden=(1,),
      features=1,
      dropout=0.25,
      kernel_init=nn.initializers.ones,
    )
    x = jnp.ones((20_000, 1))
    params = network.init(KEY, x)
    np.testing.assert_allclose(np.asarray(network.apply(params, x)), 1.0)
    outputs = np.asarray(
      network.apply(params, x, train=True, rngs={"dropout": KEY})
    )
    np.testing.assert_allclose(np.unique(outputs), [0.0, 4 / 3], rtol=1e-6)
    # The standard error of the mean is sqrt(1/3 / 20,000) = 0.004.
    np.testing.assert_allclose(outputs.mean(), 1.0, atol=0.02)

  def test_wrong_rank_is_refused(self):
    with self.assertRaises(AssertionError):
      MLP(hidden=(2,), features=1).init(KEY, jnp.zeros(3))


if __name__ == "__main__":
  absltest.main()
