"""Games that make images of images: what is refused, learnt and measured."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from experiments.configs import image_to_image
from experiments.configs.image_to_image import ImageToImageSettings
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.errors import SettingError
from experiments.run_folder.results import Results
from gan_jax.data import image_conditions, images
from tests.experiments import tiny_images

TASKS = ("super_resolution", "colouring", "edges_to_image", "inpainting")


class ImageToImageTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    tiny_images.write(self.folder)
    cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
    self.enterContext(mock.patch.dict(os.environ, cache))

    self.coloured = self.folder / "coloured"
    self.coloured.mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
      pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
      Image.fromarray(pixels).save(self.coloured / f"{number}.png")

  def settings(self, name, **values):
    settings = BY_NAME[name].settings
    assert isinstance(settings, ImageToImageSettings)
    folder = self.coloured if name == "colouring" else self.folder
    return settings.replace(
      **tiny_images.SETTINGS | {"image_channels": settings.image_channels},
    ).replace(**{"dataset": "folder", "data_dir": str(folder)} | values)

  def test_grey_images_have_no_colours_to_learn(self):
    settings = self.settings("colouring", data_dir=str(self.folder))
    with self.assertRaisesRegex(SettingError, "are grey, so .* no colours"):
      image_to_image.build(settings)

  @parameterized.parameters(
    ("super_resolution", {"factor": "3"}, "--image_size=28 .* of --factor=3"),
    ("super_resolution", {"hole": "9"}, "--hole=9 has no effect without"),
    ("super_resolution", {"depth": "3"}, "multiple of 8 to be halved"),
    ("colouring", {"image_channels": "1"}, "needs --image_channels=3"),
    ("inpainting", {"hole": "28"}, "--hole=28 must be smaller than --image_s"),
    ("inpainting", {"packing": "2"}, "--packing=2 .* lose their conditions"),
    ("edges_to_image", {"replay_size": "9"}, "lose their conditions"),
    ("edges_to_image", {"inception_weights": "x.pth"}, "pixel by pixel"),
    *(
      (name, {"latent_prior": "uniform"}, "not available for images made of")
      for name in TASKS
    ),
    *(
      (
        name,
        {"reconstruction": distance, "reconstruction_weight": "0"},
        f"^--reconstruction={distance} has no effect without",
      )
      for name, distance in zip(
        TASKS, ("absolute", *["squared"] * 3), strict=True
      )
    ),
    (
      "edges_to_image",
      {"reconstruction_weight": "0", "adversarial_weight": "0"},
      "leave the generator no cost",
    ),
  )
  def test_what_makes_no_sense_is_refused(self, name, values, message):
    with self.assertRaisesRegex(SettingError, message) as raised:
      with_values(BY_NAME[name].settings, values)
    self.assertNotIn("\n", str(raised.exception))

  @parameterized.parameters(*TASKS)
  def test_samples_have_the_condition(self, name):
    settings = self.settings(name)
    problem = image_to_image.build(settings)
    state = jax.jit(problem.init)(jax.random.key(0))
    batch = problem.sample_batch(jax.random.key(1), problem.data)
    assert problem.sample and problem.measure
    # Far from trained: the output layer is large.
    kernels = state.params.generator
    state = state.replace(
      params=state.params._replace(
        generator=jax.tree.map(lambda x: 4 * x, kernels)
      )
    )
    samples = problem.sample(
      state, jax.random.key(2), len(batch.samples), batch.condition
    )
    chex.assert_equal_shape([samples, batch.samples])
    self.assertGreater(float(jnp.abs(samples - batch.samples).mean()), 0.02)
    measured = problem.measure(state, jax.random.key(3), problem.data)
    if name == "edges_to_image":
      self.assertNotIn("condition_error", measured)
      return
    self.assertLess(measured["condition_error"], 1e-5)
    if name == "inpainting":
      mask = image_conditions.central_mask(16, settings.hole)[None]
      known, kept = (np.asarray(mask * x) for x in (samples, batch.samples))
      np.testing.assert_array_equal(known, kept)

  def test_conditions_of_samples_are_of_unseen_images(self):
    problem = image_to_image.build(self.settings("super_resolution"))
    unseen = problem.data["unseen"]
    self.assertLen(unseen, tiny_images.NUM_TEST)
    state = jax.jit(problem.init)(jax.random.key(0))
    assert problem.sample
    samples = problem.sample(state, jax.random.key(2), 7)
    wanted = image_conditions.down(images.to_unit(unseen), 4)
    found = image_conditions.down(samples, 4)
    differences = jnp.abs(found[:, None] - wanted[None]).max(axis=(2, 3, 4))
    np.testing.assert_array_less(differences.min(axis=1), 1e-5)

  def test_without_the_loss_the_generator_learns_by_the_distance(self):
    # Costs and gradients: 3 times the mean squared difference.
    settings = self.settings(
      "super_resolution", adversarial_weight=0.0, reconstruction_weight=3.0
    )
    pair = image_to_image.pairing(settings)
    made = image_to_image.game(
      settings,
      pair,
      lambda key, n: jnp.zeros((n, 16, 16, 1)),
      jnp.int32(0),
    )
    params, variables = made.init(jax.random.key(0))
    problem = image_to_image.build(settings)
    batch = problem.sample_batch(jax.random.key(1), problem.data)
    assert made.gradients is not None
    gradients, costs, (_, metrics) = made.gradients(
      params, variables, batch, jax.random.key(2)
    )
    np.testing.assert_allclose(
      costs.generator, 3 * metrics["reconstruction"], rtol=1e-6
    )
    # Against a discriminator of another sign the gradient is the same.
    opposite = params._replace(
      discriminator=jax.tree.map(lambda x: -x, params.discriminator)
    )
    again, _, _ = made.gradients(opposite, variables, batch, jax.random.key(2))
    chex.assert_trees_all_close(
      gradients.generator, again.generator, rtol=1e-4, atol=1e-7
    )
    largest = max(
      float(jnp.abs(x).max()) for x in jax.tree.leaves(gradients.generator)
    )
    self.assertGreater(largest, 1e-3)

  def test_measures_of_the_originals_are_the_best(self):
    for name in TASKS:
      settings = self.settings(name)
      pair = image_to_image.pairing(settings)
      real = jax.random.uniform(
        jax.random.key(0), (5, 16, 16, settings.image_channels), minval=-1
      )
      (value,) = (
        value
        for metric, value in pair.measure(
          real, real, pair.condition(real)
        ).items()
        if metric != "hole_psnr"
      )
      np.testing.assert_allclose(value, image_to_image.BEST, rtol=1e-5)

  @parameterized.parameters(
    (
      "super_resolution",
      "high_frequency_ratio",
      [0.5, 2.0, 1.0],
      [0.5, 0.5, 1],
    ),
    ("colouring", "chroma_intersection", [0.7], [0.7]),
    ("edges", "edge_overlap", [0.2], [0.2]),
    ("inpainting", "hole_explained", [-3.0, 0.4], [0, 0.4]),
  )
  def test_score(self, task, metric, values, expected):
    run = Results(
      "any",
      {"task": task},
      np.array([0]),
      np.arange(len(values)),
      {metric: np.array([values])},
      {},
    )
    np.testing.assert_allclose(image_to_image.score(run), [expected])


if __name__ == "__main__":
  absltest.main()
