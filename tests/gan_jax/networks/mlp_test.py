"""Tests the multilayer perceptron against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from flax import linen as nn

from gan_jax.networks import latent_joins
from gan_jax.networks.minibatch import MinibatchDiscrimination
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


class JoinsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("added", latent_joins.added(0.5), 2, lambda h, z: h + 0.5 * z),
    (
      "multiplied",
      latent_joins.multiplied(0.5),
      2,
      lambda h, z: h * (1 + 0.5 * z),
    ),
    (
      "concatenated",
      latent_joins.concatenated(3),
      3,
      lambda h, z: np.hstack([h, z]),
    ),
  )
  def test_matches_numpy(self, join, dim, expected):
    # z_0 of 4 enters the first layer; the second hidden layer, of 2 units,
    # takes the rest.
    network = MLP(hidden=(5, 2), features=3, joins=(None, join))
    self.assertEqual(
      latent_joins.num_joined(network.joins, network.hidden_shapes()), (0, dim)
    )
    z = jax.random.normal(KEY, (6, 4 + dim))
    params = network.init(KEY, z)
    kernels = [
      np.asarray(params["params"][f"Dense_{index}"]["kernel"])
      for index in range(3)
    ]
    first, rest = np.split(np.asarray(z), [4], axis=1)
    units = np.maximum(np.maximum(first @ kernels[0], 0) @ kernels[1], 0)
    np.testing.assert_allclose(
      np.asarray(network.apply(params, z)),
      expected(units, rest) @ kernels[2],
      rtol=1e-5,
      atol=1e-6,
    )

  def test_parts_go_to_their_layers_in_order(self):
    # One unit a layer, all weights 1: ((z_0 + 10 z_1) + 100 z_2).
    network = MLP(
      hidden=(1, 1),
      features=1,
      kernel_init=nn.initializers.ones,
      joins=(latent_joins.added(10.0), latent_joins.added(100.0)),
    )
    z = jnp.asarray([[1.0, 2.0, 3.0]])
    outputs, _ = network.init_with_output(KEY, z)
    np.testing.assert_allclose(outputs, [[321.0]])

  def test_last_latents_make_the_output_normal_given_the_first(self):
    # x = f(z_0) + W' z_1, hence Cov(x | z_0) = W' W for the rows W of the last
    # kernel that z_1 meets. A variance from 40,000 samples errs by 0.7 %.
    network = MLP(
      hidden=(8,), features=2, joins=(latent_joins.concatenated(3),)
    )
    z = jax.random.normal(KEY, (40_000, 5)).at[:, :2].set(0.3)
    params = network.init(KEY, z)
    rows = np.asarray(params["params"]["Dense_1"]["kernel"])[8:]
    covariance = np.cov(np.asarray(network.apply(params, z)).T)
    expected = rows.T @ rows
    np.testing.assert_allclose(
      covariance, expected, atol=0.04 * np.trace(expected)
    )

  def test_too_few_latents_are_refused(self):
    network = MLP(hidden=(4,), features=1, joins=(latent_joins.added(1.0),))
    with self.assertRaisesRegex(ValueError, "4 latents are too few"):
      network.init(KEY, jnp.zeros((1, 4)))

  def test_as_many_joins_as_hidden_layers_are_asked_for(self):
    network = MLP(hidden=(4, 4), features=1, joins=(latent_joins.added(1.0),))
    with self.assertRaises(ValueError):
      network.init(KEY, jnp.zeros((1, 9)))


def trained(network, x, scale=1.0, num_passes=60):
  """Variables after training passes on params that are `scale` times theirs."""
  variables = dict(network.init(KEY, x))
  variables["params"] = jax.tree.map(lambda p: scale * p, variables["params"])

  @jax.jit
  def train(variables):
    _, updated = network.apply(
      variables, x, train=True, mutable=["batch_stats"]
    )
    return {**variables, **updated}

  for _ in range(num_passes):
    variables = train(variables)
  return variables


class SpectralNormTest(parameterized.TestCase):
  @parameterized.parameters(5, 40)
  def test_largest_singular_value_is_one(self, features):
    # The identity goes in, the kernel in use comes out.
    network = MLP(hidden=(), features=features, spectral_norm=True)
    x = jnp.eye(20)
    variables = trained(network, x, scale=9.0)
    raw = np.linalg.svd(np.asarray(variables["params"]["Dense_0"]["kernel"]))[1]
    self.assertGreater(raw[0], 5.0)
    values = np.linalg.svd(np.asarray(network.apply(variables, x)))[1]
    np.testing.assert_allclose(values[0], 1.0, atol=0.02)
    # All are divided by the same number.
    np.testing.assert_allclose(values, raw / raw[0], atol=0.02)

  def test_network_is_1_lipschitz(self):
    network = MLP(hidden=(16, 16), features=1, spectral_norm=True)
    x = jax.random.normal(KEY, (256, 3))
    variables = trained(network, x, scale=9.0)

    @jax.jit
    @jax.vmap
    @jax.grad
    def gradients(x):
      outputs = network.apply(variables, x[None])
      return jnp.sum(jnp.asarray(outputs))

    norms = np.linalg.norm(np.asarray(gradients(x)), axis=1)
    self.assertLess(norms.max(), 1.02)
    self.assertGreater(norms.max(), 0.1)


class BeforeOutputTest(absltest.TestCase):
  def test_layer_sees_the_last_hidden_units(self):
    # Equal samples: 3 units of relu(x) = 2 and the minibatch's count of 5 make
    # 3 * 2 + 5 under weights of 1.
    network = MLP(
      hidden=(3,),
      features=1,
      kernel_init=nn.initializers.ones,
      before_output=MinibatchDiscrimination(kernels=1, kernel_dim=2),
    )
    outputs, _ = network.init_with_output(KEY, jnp.full((5, 1), 2.0))
    np.testing.assert_allclose(outputs, np.full((5, 1), 11.0), rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
