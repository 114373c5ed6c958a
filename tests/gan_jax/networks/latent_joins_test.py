"""Joins of latents, alone and in every network that takes them."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from flax import linen as nn

from gan_jax import networks
from gan_jax.data import latents
from gan_jax.networks import dcgan, latent_joins, mlp, resnet

KEY = jax.random.key(0)

NETWORKS = {
  # Each with its number of hidden layers, of which one more has parameters.
  "mlp": (mlp.MLP((3, 4), features=5, activation=nn.tanh), 2),
  "dcgan": (dcgan.Generator(8, 1, depth=2, filters=3), 2),
  "resnet": (resnet.Generator(8, 1, depth=2, filters=3), 3),
}
SHAPES = {
  "mlp": ((3,), (4,)),
  "dcgan": ((2, 2, 6), (4, 4, 3)),
  "resnet": ((2, 2, 3), (4, 4, 3), (8, 8, 3)),
}
JOINS = {
  "added": latent_joins.added(0.5),
  "multiplied": latent_joins.multiplied(0.5),
  "concatenated": latent_joins.concatenated(2),
  "repeated": latent_joins.repeated(),
}
FIRST = 4
"""Latents of the first layer."""


def apply(module, variables, *args, **kwargs) -> Any:
  """Applies a module; its outputs may be anything to a type checker."""
  return module.apply(variables, *args, **kwargs)


def joined_network(name, join, first=FIRST):
  """Returns a network with joins in all layers, and its latents [2, k]."""
  network, count = NETWORKS[name]
  network = network.clone(joins=(join,) * count)
  parts = latent_joins.num_joined(network.joins, network.hidden_shapes())
  z = np.random.default_rng(1).normal(size=(2, first + sum(parts)))
  return network, jnp.asarray(z, jnp.float32), parts


def filled(network, z):
  """Returns variables with random values in every leaf."""
  rng = np.random.default_rng(2)
  shapes = jax.eval_shape(network.init, KEY, z)

  def fill(path, leaf):
    if path[-1].key == "var":
      return jnp.ones(leaf.shape)
    scale = np.prod(leaf.shape[:-1]) ** -0.5
    return jnp.asarray(scale * rng.normal(size=leaf.shape), z.dtype)

  return jax.tree.map_with_path(fill, shapes)


class JoinTest(parameterized.TestCase):
  @parameterized.product(shape=((6,), (2, 3, 4)))
  def test_matches_numpy(self, shape):
    rng = np.random.default_rng(0)
    h = rng.normal(size=(5, *shape)).astype(np.float32)
    noise = rng.normal(size=(5, h[0].size)).astype(np.float32)
    of_units = noise.reshape(h.shape)
    few = noise[:, :2]
    constant = np.empty((*h.shape[:-1], 2), np.float32)
    for index in np.ndindex(*h.shape[:-1]):
      constant[index] = few[index[0]]
    appended = np.concatenate([h, constant], axis=-1)
    for join, z, expected in (
      (JOINS["added"], noise, h + 0.5 * of_units),
      (JOINS["multiplied"], noise, h * (1 + 0.5 * of_units)),
      (JOINS["concatenated"], few, appended),
      (JOINS["repeated"], few, appended),
    ):
      self.assertEqual(
        join.dim(shape), 0 if join.repeats else z.shape[1], expected.shape
      )
      units = join.apply(jnp.asarray(h), jnp.asarray(z))
      np.testing.assert_allclose(units, expected, rtol=1e-6)

  @parameterized.parameters("added", "multiplied")
  def test_noise_is_independent_in_each_pixel_and_channel(self, name):
    # On maps of ones both are 1 + z / 2. The standard error of a deviation from
    # 40,000 samples is 0.35 %, that of a correlation 0.005.
    shape, n = (2, 2, 3), 40_000
    join = JOINS[name]
    z = latents.normal(join.dim(shape))(KEY, n)
    units = np.asarray(join.apply(jnp.ones((n, *shape)), z)).reshape(n, -1)
    self.assertLen(units[0], 12)
    np.testing.assert_allclose(units.mean(axis=0), 1, atol=0.015)
    np.testing.assert_allclose(units.std(axis=0), 0.5, rtol=0.02)
    np.testing.assert_allclose(np.corrcoef(units.T), np.eye(12), atol=0.03)

  @parameterized.parameters(*JOINS)
  def test_type_of_the_units(self, name):
    maps = jnp.ones((2, 2, 2, 3), jnp.bfloat16)
    units = JOINS[name].apply(maps, jnp.ones((2, 12)))
    self.assertEqual(units.dtype, jnp.bfloat16)

  def test_latents_are_split_in_order(self):
    joins = (JOINS["concatenated"], None, JOINS["added"], JOINS["repeated"])
    shapes = ((3,), (7,), (1, 1, 2), (1,))
    self.assertEqual(latent_joins.num_joined(joins, shapes), (2, 0, 2, 0))
    z = jnp.arange(1.0, 6.0)[None]
    first, joined = latent_joins.split(joins, shapes, z)
    np.testing.assert_array_equal(first, [[1]])
    zeros = [jnp.zeros((1, *shape)) for shape in shapes]
    for join, units, expected in zip(
      joined,
      zeros,
      ([0, 0, 0, 2, 3], [0] * 7, [2, 2.5], [0, 1]),
      strict=True,
    ):
      np.testing.assert_array_equal(join(units).ravel(), expected)

  def test_wrong_numbers_are_refused(self):
    with self.assertRaisesRegex(
      ValueError, r"2 latents are too few: hidden layers take \(2,\)"
    ):
      latent_joins.split((JOINS["concatenated"],), ((3,),), jnp.zeros((1, 2)))
    with self.assertRaises(ValueError):
      latent_joins.num_joined((JOINS["added"],), ((3,), (3,)))


class NetworksTest(parameterized.TestCase):
  @parameterized.parameters(*NETWORKS)
  def test_shapes_of_hidden_layers(self, name):
    seen = []

    def see(shape):
      return latent_joins.Join(
        lambda _: 1, lambda h, z: seen.append(h.shape[1:]) or h
      )

    network, z, _ = joined_network(name, see(None))
    self.assertEqual(network.hidden_shapes(), SHAPES[name])
    jax.eval_shape(network.init, KEY, z)
    self.assertEqual(tuple(seen), SHAPES[name])

  @parameterized.product(name=tuple(NETWORKS), join=tuple(JOINS))
  def test_gradient_reaches_every_part(self, name, join):
    network, z, parts = joined_network(name, JOINS[join])
    variables = filled(network, z)
    # For many z: a unit that is 0 passes no gradient.
    rng = np.random.default_rng(3)
    z = jnp.asarray(rng.normal(size=(32, z.shape[1])), jnp.float32)

    @jax.jit
    @jax.grad
    def gradient(z):
      outputs = apply(network, variables, z)
      weights = np.random.default_rng(4).normal(size=outputs.shape)
      return jnp.sum(weights * outputs)

    sizes = np.linalg.norm(np.asarray(gradient(z)), axis=0)
    self.assertLen(sizes, FIRST + sum(parts))
    for part in np.split(sizes, np.cumsum([FIRST, *parts])[:-1]):
      if len(part):
        self.assertGreater(part.max(), 1e-2 * sizes.max())

  @parameterized.product(
    name=("dcgan", "resnet"), join=("repeated", "concatenated")
  )
  def test_only_new_latents_add_dimensions(self, name, join):
    network, z, _ = joined_network(name, JOINS[join], first=2)
    variables = filled(network, z)
    jacobian = jax.jit(
      jax.jacfwd(lambda z: apply(network, variables, z[None]).ravel())
    )(z[0])
    expected = {"repeated": 2, "concatenated": 2 + 2 * NETWORKS[name][1]}[join]
    self.assertEqual(np.linalg.matrix_rank(jacobian, rtol=1e-5), expected)

  @parameterized.product(name=tuple(NETWORKS), join=("added", "repeated"))
  def test_same_key_same_bits(self, name, join):
    network, z, _ = joined_network(name, JOINS[join])
    variables = dict(filled(network, z))
    params = variables.pop("params")
    draw = jax.jit(
      lambda key: networks.application.generate_samples(
        network, latents.normal(z.shape[1]), params, variables, key, 3
      )[0]
    )
    first, again, other = map(draw, (KEY, KEY, jax.random.key(1)))
    np.testing.assert_array_equal(first, again)
    self.assertGreater(np.abs(first - other).max(), 1e-3)

  @parameterized.parameters(*NETWORKS)
  def test_no_joins_change_no_bit(self, name):
    network, count = NETWORKS[name]
    z = jax.random.normal(KEY, (4, 5))
    chex.assert_trees_all_equal(
      *(
        jax.jit(each.init_with_output)(KEY, z)
        for each in (network, network.clone(joins=(None,) * count))
      )
    )

  @parameterized.parameters(*NETWORKS)
  def test_noise_adds_no_parameters_and_keeps_initial_values(self, name):
    network, z, _ = joined_network(name, JOINS["added"])
    plain, _ = NETWORKS[name]
    chex.assert_trees_all_equal(
      *(
        jax.jit(each.init)(KEY, inputs)["params"]
        for each, inputs in ((network, z), (plain, z[:, :FIRST]))
      )
    )

  @parameterized.parameters(
    (
      "dcgan",
      {
        "Dense_0": 1.8969444,
        "TransposedConvolution_0": 4.4222159,
        "TransposedConvolution_1": 0.71553707,
      },
    ),
    (
      "resnet",
      {
        "Convolution_0": 5.7100005,
        "Dense_0": 18.356344,
        "GeneratorBlock_0": 20.592892 + 19.500843 + 3.6762543,
        "GeneratorBlock_1": 19.325397 + 19.603669 + 5.0762033,
      },
    ),
  )
  def test_names_and_initial_values_are_those_before_joins(self, name, sums):
    # Recorded when these networks had no joins: sums of absolute values.
    network, _ = NETWORKS[name]
    params = jax.jit(network.init)(KEY, jnp.zeros((1, 5)))["params"]
    kernels = {
      layer: sum(
        float(jnp.sum(jnp.abs(leaf)))
        for path, leaf in jax.tree.leaves_with_path(params[layer])
        if path[-1].key == "kernel"
      )
      for layer in params
      if not layer.startswith("BatchNorm")
    }
    self.assertEqual(kernels.keys(), sums.keys())
    for layer, expected in sums.items():
      np.testing.assert_allclose(kernels[layer], expected, rtol=1e-5)

  @parameterized.parameters("dcgan", "resnet")
  def test_labels_enter_the_first_layer_only(self, name):
    plain, count = NETWORKS[name]
    labels = jnp.array([0, 2])
    z = jax.random.normal(KEY, (2, 4))
    network = plain.clone(joins=(JOINS["repeated"],) * count)
    for num_classes in (0, 3):
      conditional = network.clone(num_classes=num_classes)
      shapes = jax.eval_shape(
        lambda network=conditional: network.init(KEY, z, condition=labels)
      )["params"]
      self.assertEqual(shapes["Dense_0"]["kernel"].shape[0], 4 + num_classes)
      last = {
        "dcgan": lambda params: params["TransposedConvolution_1"][
          "kernel"
        ].shape[3],
        "resnet": lambda params: params["Convolution_0"]["kernel"].shape[2],
      }[name](shapes)
      self.assertEqual(last, 3 + 4)


if __name__ == "__main__":
  absltest.main()
