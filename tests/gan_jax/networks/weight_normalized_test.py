"""Weight normalisation and noise, against computations by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from flax import linen as nn

from gan_jax.networks import weight_normalized
from gan_jax.networks.weight_normalized import (
  NoisyClassifier,
  SoftplusGenerator,
  WeightNormalizedDense,
)

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, size=(6, 3)).astype(np.float32)


def apply(network: nn.Module, *args, **kwargs) -> Any:
  """Applies a module, whose outputs have no one type."""
  return network.apply(*args, **kwargs)


class WeightNormalizedDenseTest(parameterized.TestCase):
  def test_by_hand(self):
    # The norms of the columns are 5 and 2.
    params = {
      "directions": jnp.array([[3.0, 0.0], [4.0, 2.0]]),
      "scale": jnp.array([[10.0, 3.0]]),
      "bias": jnp.array([[1.0, -1.0]]),
    }
    made = apply(
      WeightNormalizedDense(2), {"params": params}, jnp.array([[1.0, 2.0]])
    )
    # 10 (3 + 8) / 5 + 1 and 3 * 2 * 2 / 2 - 1.
    np.testing.assert_allclose(made, [[23.0, 5.0]], rtol=1e-6)

  def test_gradient_is_orthogonal_to_the_direction(self):
    layer = WeightNormalizedDense(4)
    params = layer.init(jax.random.key(0), X)["params"]
    gradient = jax.grad(
      lambda p: jnp.sum(jnp.sin(apply(layer, {"params": p}, X)))
    )(params)["directions"]
    inner = np.sum(gradient * params["directions"], axis=0)
    np.testing.assert_allclose(inner, 0, atol=1e-5)
    self.assertGreater(np.abs(gradient).max(), 0.01)

  @parameterized.parameters(False, True)
  def test_units_are_standardized_at_first(self, trains_scale):
    layer = WeightNormalizedDense(
      4, trains_scale=trains_scale, standardizes=True
    )
    collections = layer.init(jax.random.key(0), X)
    units = apply(layer, collections, X)
    np.testing.assert_allclose(np.mean(units, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.std(units, axis=0), 1, rtol=1e-4)
    where = "params" if trains_scale else weight_normalized.SCALES
    self.assertIn("scale", collections[where])
    if not trains_scale:
      self.assertNotIn("scale", collections["params"])

  def test_equal_inputs_have_finite_scales(self):
    layer = WeightNormalizedDense(4, standardizes=True)
    collections = layer.init(jax.random.key(0), np.ones_like(X))
    for leaf in jax.tree.leaves(collections):
      self.assertTrue(np.isfinite(leaf).all())

  def test_without_standardization_rows_have_norm_one(self):
    layer = WeightNormalizedDense(4)
    collections = layer.init(jax.random.key(0), X)
    kernel = apply(layer, collections, np.eye(3, dtype=np.float32))
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1, rtol=1e-5)


class NoisyClassifierTest(parameterized.TestCase):
  def test_by_hand(self):
    network = NoisyClassifier((5, 4), 3)
    images = jnp.asarray(RNG.uniform(-1, 1, (6, 2, 2, 1)), jnp.float32)
    collections = network.init(jax.random.key(0), images)
    features, logits = apply(network, collections, images)
    units = (np.asarray(images).reshape(6, 4) + 1) / 2
    for index in range(3):
      name = f"WeightNormalizedDense_{index}"
      params = collections["params"][name]
      scale = params.get("scale")
      if index < 2:
        self.assertIsNone(scale)
        scale = collections[weight_normalized.SCALES][name]["scale"]
        units = np.maximum(units, 0) if index else units
      else:
        units = np.maximum(units, 0)
        np.testing.assert_allclose(features, units, atol=1e-5)
      kernel = np.asarray(params["directions"])
      kernel = kernel / np.sqrt(np.sum(kernel**2, axis=0))
      units = units @ kernel * scale + params["bias"]
    np.testing.assert_allclose(logits, units, atol=1e-5)

  def test_noise_has_its_standard_deviation(self):
    # One linear unit of one pixel: x / |x| with noise on it alone.
    network = NoisyClassifier((), 1, input_noise=0.3)
    images = jnp.zeros((4000, 1, 1, 1))
    collections = {
      "params": {
        "WeightNormalizedDense_0": {
          "directions": jnp.full((1, 1), -2.0),
          "scale": jnp.full((1, 1), 3.0),
          "bias": jnp.zeros((1, 1)),
        }
      }
    }
    quiet, noisy = (
      apply(
        network,
        collections,
        images,
        train=train,
        rngs={"dropout": jax.random.key(1)},
      )[1]
      for train in (False, True)
    )
    # The middle of [-1, 1] is 1/2 in [0, 1].
    np.testing.assert_allclose(quiet, -1.5, rtol=1e-6)
    np.testing.assert_allclose(np.mean(noisy), -1.5, atol=0.06)
    np.testing.assert_allclose(np.std(noisy), 0.9, rtol=0.05)

  def test_each_layer_has_its_noise(self):
    images = jnp.zeros((8, 2, 2, 1))
    key = {"dropout": jax.random.key(1)}
    for input_noise, hidden_noise in ((0.3, 0.0), (0.0, 0.5), (0.0, 0.0)):
      network = NoisyClassifier((16,), 3, input_noise, hidden_noise)
      collections = network.init(jax.random.key(0), images + X[0, 0])
      features, logits = apply(
        network, collections, images, train=True, rngs=key
      )
      for units, noisy in (
        (features, input_noise > 0),
        (logits, input_noise > 0 or hidden_noise > 0),
      ):
        differs = np.ptp(np.asarray(units), axis=0).max() > 1e-3
        self.assertEqual(bool(differs), noisy)


class SoftplusGeneratorTest(absltest.TestCase):
  def test_pixels(self):
    network = SoftplusGenerator((8, 8), (4, 3, 1))
    latents = jax.random.uniform(jax.random.key(0), (32, 5), minval=-1)
    collections = dict(network.init(jax.random.key(1), latents))
    images, updated = apply(
      network, collections, latents, train=True, mutable=["batch_stats"]
    )
    self.assertEqual(images.shape, (32, 4, 3, 1))
    self.assertLess(np.abs(images).max(), 1)
    self.assertGreater(np.std(np.asarray(images), axis=0).min(), 1e-3)
    # 2 sigmoid(y) - 1 of the last layer's y, whose scale is 0 and bias log 3.
    params = collections["params"]
    params["WeightNormalizedDense_0"] = {
      "directions": params["WeightNormalizedDense_0"]["directions"],
      "scale": jnp.zeros((1, 12)),
      "bias": jnp.full((1, 12), np.log(3.0)),
    }
    constant = apply(network, {"params": params, **updated}, latents)
    np.testing.assert_allclose(constant, 0.5, rtol=1e-5)


if __name__ == "__main__":
  absltest.main()
