"""Translations between unpaired sets: what is refused, drawn and measured."""

import os
import tempfile
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.configs import cycle
from experiments.configs.cycle import GlassesSettings, RingsSettings
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.errors import SettingError
from experiments.run_folder.results import Results
from gan_jax.data import densities, faces, images
from gan_jax.metrics import modes
from tests.experiments import tiny_images


class CycleTest(parameterized.TestCase):
  @parameterized.parameters(
    ("cycle_rings", {"packing": "2"}, "--packing is not available for transl"),
    ("cycle_rings", {"penalty": "r1"}, "--penalty is not available for transl"),
    ("cycle_rings", {"instance_noise": "0.1"}, "--instance_noise is not avail"),
    (
      "cycle_glasses",
      {"discriminator_normalization": "batch"},
      "inputs in a step; choose none or layer",
    ),
    (
      "cycle_glasses",
      {"generator_normalization": "batch"},
      "--generator_normalization=batch is not available",
    ),
    *(
      (name, {"latent_prior": "uniform"}, "not available for translations to")
      for name in ("cycle_rings", "cycle_glasses")
    ),
    ("cycle_glasses", {"image_size": "30"}, "must be a multiple of 4"),
    ("cycle_glasses", {"inception_weights": "x.pth"}, "which a classifier"),
  )
  def test_what_makes_no_sense_is_refused(self, name, values, message):
    with self.assertRaisesRegex(SettingError, message) as raised:
      with_values(BY_NAME[name].settings, values)
    self.assertNotIn("\n", str(raised.exception))

  @parameterized.parameters(2, 5, 8)
  def test_true_map_is_of_the_inner_ring_onto_the_outer(self, num_modes):
    settings = BY_NAME["cycle_rings"].settings
    assert isinstance(settings, RingsSettings)
    problem = cycle.build_rings(settings.replace(num_modes=num_modes))
    batch = problem.sample_batch(jax.random.key(0), ())
    radii = np.linalg.norm(batch.condition, axis=1)
    np.testing.assert_allclose(radii.mean(), 1, atol=0.05)
    np.testing.assert_allclose(
      np.linalg.norm(batch.samples, axis=1).mean(), 2, atol=0.1
    )
    # Exact samples of the outer ring, of which none is lost.
    inner = densities.ring(num_modes, 1.0, settings.mode_stddev)
    made = cycle.true_map(inner.sample(jax.random.key(1), 2000), num_modes)
    outer = densities.mixture(problem.reference["modes"], 2 * inner.mode_stddev)
    measured = modes.measure(made, outer)
    self.assertGreater(measured["high_quality_fraction"], 0.97)
    self.assertEqual(measured["modes_balanced"], num_modes)

  def test_biases_of_all_perceptrons(self):
    settings = BY_NAME["cycle_rings"].settings.replace(initial_bias=0.25)
    assert isinstance(settings, RingsSettings)
    state = jax.jit(cycle.build_rings(settings).init)(jax.random.key(0))
    biases = [x for x in jax.tree.leaves(state.params) if x.ndim == 1]
    self.assertLen(biases, 4 * 3)
    for bias in biases:
      np.testing.assert_array_equal(bias, 0.25)

  def test_a_discriminator_that_compares_samples_is_not_drawn(self):
    settings = BY_NAME["cycle_rings"].settings.replace(
      discriminator_minibatch="standard_deviation"
    )
    assert isinstance(settings, RingsSettings)
    problem = cycle.build_rings(settings)
    state = jax.jit(problem.init)(jax.random.key(0))
    drawn = jax.jit(problem.snapshot)(state, jax.random.key(1))
    self.assertTrue(np.isnan(drawn["discriminator"]).all())
    self.assertFalse(np.isnan(drawn["samples"]).any())

  def test_pairs_of_classes(self):
    self.assertEqual(
      cycle._class_pairs(faces.CLASS_NAMES, "glasses"), {0: 2, 1: 3}
    )
    for names, attribute in (
      (("cat", "dog"), "glasses"),
      ((), "glasses"),
      (("cat", "dog with hat"), "hat"),
      (("cat with hat", "dog with hat"), "hat"),
    ):
      with self.assertRaisesRegex(SettingError, "^--attribute=.* needs classe"):
        cycle._class_pairs(names, attribute)

  def test_sets_of_faces(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    self.enterContext(mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder}))
    self.enterContext(mock.patch.dict(faces.NUM_IMAGES, train=160, test=20))
    settings = BY_NAME["cycle_glasses"].settings.replace(
      **tiny_images.SETTINGS | {"image_channels": 3}
    )
    assert isinstance(settings, GlassesSettings)
    problem = cycle.build_glasses(settings)
    batch = problem.sample_batch(jax.random.key(0), problem.data)
    chex.assert_equal_shape([batch.samples, batch.condition])
    data = images.load("faces", None, 16, 3, None)
    worn = np.isin(np.asarray(data.train.labels), (2, 3))
    for drawn, chosen in ((batch.samples, worn), (batch.condition, ~worn)):
      pixels = images.to_unit(jnp.asarray(data.train.pixels[chosen]))
      differences = jnp.abs(drawn[:, None] - pixels[None]).max(axis=(2, 3, 4))
      np.testing.assert_allclose(differences.min(axis=1), 0)
    # Translations of an untrained network are near the faces.
    state = jax.jit(problem.init)(jax.random.key(1))
    assert problem.sample and problem.measure
    made = problem.sample(state, jax.random.key(2), 8, batch.condition)
    self.assertLess(float(jnp.abs(made - batch.condition).mean()), 0.2)
    measured = problem.measure(state, jax.random.key(3), problem.data)
    self.assertLessEqual(measured["class_kept"], measured["attribute_given"])

  def test_scores(self):
    def run(metric, values):
      return Results(
        *("any", {}, np.array([0]), np.arange(len(values))),
        *({metric: np.array([values])}, {}),
      )

    np.testing.assert_allclose(
      cycle.score_rings(run("map_error", [0, 2**0.5 / 4, 2])), [[1, 0.75, 0]]
    )
    np.testing.assert_allclose(
      cycle.score_glasses(run("class_kept", [0.25, 1])), [[0.25, 1]]
    )


if __name__ == "__main__":
  absltest.main()
