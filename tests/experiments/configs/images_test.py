"""Games on images: what is refused, what is measured, what is drawn."""

import dataclasses
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image
from rich.console import Console

from experiments.configs import builders, choices, image_metrics
from experiments.configs import images as dcgan
from experiments.configs.image_settings import DCGANSettings
from experiments.configs.settings import with_values
from experiments.datasets import cache, image_datasets
from experiments.errors import SettingError
from experiments.run_folder.intervals import NOT_SCORED
from experiments.run_folder.results import Results
from gan_jax.data import images
from gan_jax.metrics import classifier, inception
from tests.experiments import tiny_images


def settings_of(name: str) -> DCGANSettings:
  """Returns the defaults of an experiment."""
  (settings,) = (e.settings for e in dcgan.EXPERIMENTS if e.name == name)
  assert isinstance(settings, DCGANSettings)
  return settings


class DCGANTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)
    (self.folder / "data").mkdir()
    tiny_images.write(self.folder / "data")
    cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
    self.enterContext(mock.patch.dict(os.environ, cache))

  @parameterized.parameters(
    ({"image_channels": "2"}, "must be 1 or 3"),
    ({"depth": "3"}, "--image_size=28 must be a multiple of 8"),
    ({"architecture": "resnet", "depth": "1"}, "28 pixels 0 times"),
    (
      {"architecture": "resnet", "image_size": "72", "depth": "3"},
      "72 pixels 4 times",
    ),
    ({"condition": "projection", "packing": "2"}, "lose their classes"),
    (
      {"evaluate": "false", "evaluate_every": "3"},
      "^--evaluate_every=3 has no effect without --evaluate; .* is false$",
    ),
    ({"dataset": "folder"}, "needs --data_dir, a folder or zip"),
  )
  def test_what_makes_no_sense_is_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      dcgan.build(with_values(settings_of("dcgan_mnist"), values))

  @parameterized.parameters(
    # The published pair: blocks from 4 x 4 places, and two that keep the side.
    (32, 3, 128, (4, 4, 128), 4, 128),
    # From 64 pixels widths double on the way down to 2 x 2 places.
    (64, 4, 64, (4, 4, 1024), 5, 1024),
  )
  def test_residual_networks_are_those_of_their_size(
    self, size, depth, filters, base, num_blocks, width
  ):
    settings = settings_of("dcgan_cifar10").replace(
      architecture="resnet",
      image_size=size,
      depth=depth,
      generator_filters=filters,
      discriminator_filters=filters,
      discriminator_normalization="spectral",
    )
    settings.check()
    generator, discriminator = dcgan.networks(settings, num_classes=0)
    key = jax.random.key(0)
    params = jax.eval_shape(generator.init, key, jnp.zeros((1, 100)))["params"]
    self.assertEqual(params["Dense_0"]["kernel"].shape, (100, np.prod(base)))
    images = jnp.zeros((1, size, size, 3))
    params = jax.eval_shape(discriminator.init, key, images)["params"]
    blocks = [name for name in params if name.startswith("DiscriminatorBlock")]
    self.assertLen(blocks, num_blocks)
    self.assertEqual(params["Dense_0"]["kernel"].shape, (width, 1))

  @parameterized.product(
    architecture=tuple(choices.ARCHITECTURES), num_classes=(0, 3)
  )
  def test_every_architecture_generates_images_and_judges_them(
    self, architecture, num_classes
  ):
    settings = settings_of("dcgan_cifar10").replace(
      architecture=architecture,
      condition="projection" if num_classes else "none",
      generator_filters=4,
      discriminator_filters=4,
    )
    settings.check()
    key = jax.random.key(0)
    latents, labels = jnp.zeros((2, 100)), jnp.zeros(2, int)
    classes: Any = {"condition": labels} if num_classes else {}
    generator, discriminator = dcgan.networks(settings, num_classes)
    samples, _ = jax.eval_shape(
      lambda: generator.init_with_output(key, latents, **classes)
    )
    self.assertEqual(samples.shape, (2, 32, 32, 3))
    logits, _ = jax.eval_shape(
      lambda: discriminator.init_with_output(
        key, jnp.zeros((2, 32, 32, 3)), **classes
      )
    )
    self.assertEqual(logits.shape, (2, 1))

  @parameterized.product(
    # The latents of 32 pixels with 4 channels in the last hidden layer, by
    # hand: DCGAN has 4 x 4 x 16, 8 x 8 x 8 and 16 x 16 x 4 hidden units and
    # the residual networks have 4 channels, also at 32 x 32 pixels.
    architecture_and_units=(
      ("dcgan", 3, 256 + 512 + 1024),
      ("resnet", 4, 4 * (16 + 64 + 256 + 1024)),
    ),
    join=tuple(choices.LATENT_JOINS),
    num_classes=(0, 3),
  )
  def test_latents_join_the_layers_of_every_architecture(
    self, architecture_and_units, join, num_classes
  ):
    architecture, num_layers, num_units = architecture_and_units
    settings = with_values(
      settings_of("dcgan_cifar10"),
      {
        "architecture": architecture,
        "latent_join": join,
        "latent_dim": 10,
        "generator_filters": 4,
        "discriminator_filters": 4,
        "condition": "projection" if num_classes else "none",
      },
    )
    generator = dcgan.networks(settings, num_classes).generator
    num_latents = builders.num_latents(settings, generator)
    noise = {"concatenated": 10 * num_layers}
    noise |= dict.fromkeys(("added", "multiplied"), num_units)
    self.assertEqual(num_latents, 10 + noise.get(join, 0))
    game = dcgan._game_maker(settings, num_classes)(settings, jnp.int32(0))

    def sample(key):
      params, variables = game.init(key)
      labels = (jnp.zeros(2, int),) if num_classes else ()
      return game.sample(params, variables, key, 2, *labels), params.generator

    samples, params = jax.eval_shape(sample, jax.random.key(0))
    self.assertEqual(samples.shape, (2, 32, 32, 3))
    # split: 2 of the 10 latents for each of 3 hidden layers of DCGAN or 4 of
    # the residual networks, and what is left for the first.
    first = {"split": 10 - num_layers * (10 // (num_layers + 1))}.get(join, 10)
    self.assertEqual(params["Dense_0"]["kernel"].shape[0], first + num_classes)
    last = (
      "Convolution_0" if architecture == "resnet" else "TransposedConvolution_2"
    )
    axis = 2 if architecture == "resnet" else 3
    appended = {"split": 2, "repeated": 10, "concatenated": 10}.get(join, 0)
    self.assertEqual(params[last]["kernel"].shape[axis], 4 + appended)

  def test_data_that_is_not_prepared_says_the_command(self):
    settings = settings_of("dcgan_fashion_mnist").replace(
      data_dir=str(self.folder / "nothing")
    )
    with self.assertRaisesRegex(
      SettingError,
      "python -m experiments.prepare_data --dataset=fashion_mnist "
      f"--data_dir={self.folder / 'nothing'}",
    ):
      dcgan.build(settings)

  def test_classes_are_needed_to_condition_on_them(self):
    flat = self.folder / "flat"
    flat.mkdir()
    for index in range(20):
      Image.new("L", (8, 8), index).save(flat / f"{index}.png")
    settings = settings_of("conditional_mnist").replace(
      dataset="folder", data_dir=str(flat)
    )
    with self.assertRaisesRegex(SettingError, "needs classes"):
      dcgan.build(settings)

  def test_few_images_are_drawn_once_from_all_of_a_split(self):
    pixels = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
    train = images.Images(pixels, np.arange(50, dtype=np.int32), (), 0)
    few = image_datasets.limited(train, 10)
    np.testing.assert_array_equal(few.pixels.ravel(), few.labels)
    self.assertLen(set(few.pixels.ravel()), 10)
    # Not the first ones, which may all be of one class.
    self.assertGreater(few.pixels.max(), 30)
    again = image_datasets.limited(train, 10)
    np.testing.assert_array_equal(few.pixels, again.pixels)
    self.assertIs(image_datasets.limited(train, 0), train)
    with self.assertRaisesRegex(SettingError, "51 are more than the 50"):
      image_datasets.limited(train, 51)

  def test_few_images_are_learnt_from_and_not_measured(self):
    folder = self.folder / "odd"
    folder.mkdir()
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    Image.new("L", (20, 30), 128).save(folder / "grey.png")
    Image.new("RGB", (4000, 3000), "red").save(folder / "large.jpg")
    settings = settings_of("dcgan_cifar10").replace(
      **tiny_images.SETTINGS, dataset="folder", data_dir=str(folder)
    )
    settings = settings.replace(image_channels=3)
    said = self.enterContext(mock.patch.object(image_metrics, "say"))
    problem = dcgan.build(settings)
    self.assertIn("too few to measure", said.call_args.args[0])
    self.assertEqual(problem.protocol, {})
    drawn = problem.sample_batch(jax.random.key(0), problem.data)
    self.assertEqual(drawn.shape, (8, 16, 16, 3))
    # One of the two whole images may have been kept for the test split.
    colours = np.unique(np.asarray(drawn).round(1).reshape(-1, 3), axis=0)
    whole = {(0, 0, 0), (1, -1, -1)}
    self.assertLessEqual({tuple(colour) for colour in colours.tolist()}, whole)

  def test_real_images_of_all_classes_are_drawn(self):
    folder = self.folder / "two"
    for name, color in (("black", 0), ("white", 255)):
      (folder / name).mkdir(parents=True)
      for index in range(80):
        image = Image.new("L", (16, 16), color)
        image.save(folder / name / f"{index}.png")
    settings = settings_of("dcgan_mnist").replace(
      **tiny_images.SETTINGS, dataset="folder", data_dir=str(folder)
    )
    problem = dcgan.build(settings.replace(evaluate=False))
    share = np.mean(problem.reference["data_samples"] > 0)
    self.assertBetween(share, 0.25, 0.75)

  def test_a_class_of_few_images_has_them_repeated(self):
    places = dcgan._of_each_class(np.array([1, 0, 0, 1, 2, 0, 0]), 3)
    rows = places.reshape(-1, 3)
    np.testing.assert_array_equal(
      rows[:5], [[1, 0, 4], [2, 3, 4], [5, 0, 4], [6, 3, 4], [1, 0, 4]]
    )

  def test_too_few_samples_to_measure_are_refused(self):
    with self.assertRaisesRegex(SettingError, "at least 6"):
      settings_of("dcgan_mnist").replace(evaluation_samples=5).check()

  def test_packs_train_and_are_measured(self):
    settings = settings_of("dcgan_mnist").replace(
      **tiny_images.SETTINGS, data_dir=str(self.folder / "data"), packing=2
    )
    problem = dcgan.build(settings)
    keys = jax.random.split(jax.random.key(0), 3)
    state = jax.jit(problem.init)(keys[0])
    batch = problem.sample_batch(keys[1], problem.data)
    self.assertEqual(batch.shape, (2 * settings.batch_size, 16, 16, 1))
    state, _ = jax.jit(problem.step)(state, batch, keys[1])
    assert problem.measure
    measured = jax.jit(problem.measure)(state, keys[2], problem.data)
    self.assertTrue(np.isfinite(measured["frechet_distance"]))
    drawn = jax.eval_shape(problem.snapshot, state, keys[2])["samples"]
    self.assertEqual(drawn.shape[1:], (16, 16, 1))

  def test_pictures_show_the_average_that_is_scored(self):
    settings = settings_of("dcgan_mnist").replace(
      **tiny_images.SETTINGS,
      data_dir=str(self.folder / "data"),
      generator_average=0.9,
    )
    problem = dcgan.build(settings)
    key = jax.random.key(0)
    init, snapshot = jax.jit(problem.init), jax.jit(problem.snapshot)
    state = init(key)
    first = snapshot(state, key)["samples"]
    state = state.replace(averages=init(jax.random.key(1)).averages)
    drawn = snapshot(state, key)["samples"]
    assert problem.sample
    scored = images.to_pixels(problem.sample(state, key, len(drawn)))
    np.testing.assert_allclose(np.float32(drawn), np.float32(scored), atol=1)
    self.assertGreater(np.mean(np.abs(first - np.float32(drawn))), 0.2)

  def read(self):
    data_dir = str(self.folder / "data")
    read = image_datasets.read_dataset(
      "mnist", data_dir, "auto", 16, 1, False, print
    )
    return read.train, read.test

  def test_the_classifier_is_trained_once_and_says_how_well(self):
    train, test = self.read()
    first = image_datasets.feature_net("mnist", train, test, print)
    with mock.patch.object(
      image_datasets.classifier, "train", side_effect=AssertionError
    ):
      again = image_datasets.feature_net("mnist", train, test, print)
    self.assertEqual(first.protocol, again.protocol)
    self.assertBetween(first.protocol["features_accuracy"], 0, 1)
    batch = images.to_unit(jnp.asarray(test.pixels))
    jax.tree.map(
      np.testing.assert_array_equal,
      first.features.apply(batch),
      again.features.apply(batch),
    )

  @parameterized.parameters(
    # Whether there are classes, most images of either kind; number of images.
    (True, 130, 50, 130),
    (True, 200, 50, tiny_images.NUM_TRAIN),
    (False, 130, 50, 4 * 50),
  )
  def test_the_classifier_learns_from_no_more_images_than_it_needs(
    self, has_classes, most_labelled, most_rotated, expected
  ):
    train, test = self.read()
    # Folders of images come in the order of their classes.
    labels = np.asarray(train.labels)
    order = np.argsort(labels)
    train = train._replace(pixels=train.pixels[order], labels=labels[order])
    if not has_classes:
      train, test = (
        split._replace(labels=None, class_names=()) for split in (train, test)
      )
    with (
      mock.patch.object(image_datasets, "_NUM_LABELLED", most_labelled),
      mock.patch.object(image_datasets, "_NUM_ROTATED", most_rotated),
      mock.patch.object(
        classifier, "train", side_effect=InterruptedError
      ) as trained,
      self.assertRaises(InterruptedError),
    ):
      image_datasets.feature_net("mnist", train, test, print)
    _, pixels, labels = trained.call_args.args
    self.assertLen(pixels, expected)
    self.assertLen(labels, expected)
    if has_classes:
      self.assertLen(set(labels.tolist()), 10)

  @parameterized.parameters(60, 80, 140)
  def test_the_bar_of_the_classifier(self, width):
    output = io.StringIO()
    terminal = Console(
      file=output, width=width, force_terminal=True, color_system=None
    )
    with (
      mock.patch.object(image_datasets, "Console", lambda stderr: terminal),
      image_datasets._epochs_bar() as bar,
    ):
      bar.advance(bar.task_ids[0], 2)
      bar.refresh()
      text = output.getvalue()
    self.assertIn("training the classifier", text)
    self.assertRegex(text, r"epoch 2/8 .*0:00:0\d")

  def test_a_damaged_classifier_is_trained_again(self):
    read = self.read()
    first = image_datasets.feature_net("mnist", *read, print)
    (path,) = (cache.cache_dir() / "classifiers").glob("mnist-*.npz")
    whole = path.read_bytes()
    for content in (b"", b"damaged", whole[: len(whole) // 2]):
      path.write_bytes(content)
      again = image_datasets.feature_net("mnist", *read, print)
      self.assertEqual(first.protocol, again.protocol)
      with np.load(path) as arrays:
        self.assertIn("accuracy", arrays)

  def test_images_without_classes_are_told_apart_by_their_turns(self):
    train, test = (
      split._replace(labels=None, class_names=()) for split in self.read()
    )
    net = image_datasets.feature_net("mnist", train, test, print)
    self.assertIn("rotations", net.features.name)
    _, logits = net.features.apply(images.to_unit(jnp.asarray(test.pixels)))
    self.assertEqual(logits.shape, (tiny_images.NUM_TEST, 4))

  @parameterized.parameters(
    # What the classes are, accuracy, number of held-out images, the reason. Of
    # 20 images with a probability of 1/4, 9 succeed with probability 0.041 and
    # 10 with 0.014, and the interval has 0.025 on each side.
    ("turns", 9 / 20, 20, "rotations with accuracy 0.450 .* chance .* 0.250"),
    ("turns", 10 / 20, 20, ""),
    ("turns", 1.0, 2, "chance"),
    ("shapes", 0.55, 200, "most frequent class reaches 0.500"),
    ("shapes", 0.59, 200, ""),
    ("shapes", 1.0, 200, ""),
    ("shapes", 1.0, 4, "on 4 held-out images"),
    ("shapes", np.nan, 200, "no held-out images"),
    ("colours", 1.0, 200, "the mean colour alone reaches 1.000"),
    ("one", 1.0, 200, "most frequent class reaches 1.000"),
  )
  def test_a_classifier_may_know_nothing(self, kind, accuracy, n, reason):
    def split(n):
      labels = np.arange(n, dtype=np.int32) % 2
      # Stripes along rows or columns, which have the same mean colour.
      lines = np.tile(np.array([0, 255], np.uint8), 8)
      pixels = np.where(
        labels[:, None, None] > 0, lines[None, :, None], lines[None, None]
      )[..., None]
      names = ("a", "b")
      if kind == "colours":
        pixels = np.full((n, 16, 16, 3), 100, np.uint8)
        pixels[..., 1] += 5 * labels.astype(np.uint8)[:, None, None]
      if kind == "one":
        labels, names = np.zeros(n, np.int32), ("a",)
      if kind == "turns":
        return images.Images(pixels, None, (), 0)
      return images.Images(pixels, labels, names, 0)

    train, test = split(128), split(n)
    with (
      mock.patch.object(image_datasets.classifier, "train") as trained,
      mock.patch.object(
        image_datasets.classifier, "accuracy", return_value=accuracy
      ),
    ):
      trained.return_value = classifier.init(
        jax.random.key(0), train.pixels.shape[1:], len(train.class_names) or 4
      )
      net = image_datasets.feature_net("mnist", train, test, print)
    found = str(net.protocol.get(NOT_SCORED, ""))
    if not reason:
      self.assertEqual(found, "")
    else:
      self.assertRegex(found, rf"^.*{reason}.*$")

  def measurement_of_points(self, num_real, num_fake):
    """Prepares measurements of images by their first eight pixels."""
    pixels = np.random.default_rng(0).integers(
      0, 256, (num_real, 16, 16, 1), np.uint8
    )
    train = images.Images(pixels, None, (), 0)
    net = image_datasets.FeatureNet(
      classifier.Features(
        "pixels",
        jax.tree_util.Partial(lambda x: (x[:, 0, :8, 0], x[:, 0, :3, 0])),
      ),
      {"features": "pixels"},
    )
    settings = settings_of("dcgan_mnist").replace(evaluation_samples=num_fake)
    with mock.patch.object(image_datasets, "feature_net", return_value=net):
      return settings, image_metrics.measurement_of(
        settings, images.Dataset(train, train, "", {}, ()), jnp.asarray(pixels)
      )

  def score_of(self, settings, measurement, pixels):
    """Measures and scores samples, uint8."""
    metrics = jax.jit(measurement.measure, static_argnums=1)(
      images.to_unit(jnp.asarray(pixels)), None, measurement.data
    )
    run = Results(
      "dcgan_mnist",
      dataclasses.asdict(settings),
      np.arange(1),
      np.arange(1),
      {name: np.reshape(value, (1, 1)) for name, value in metrics.items()},
      {},
      protocol=measurement.protocol,
    )
    return float(dcgan.score(run)[0, 0])

  def test_garbage_does_not_score_with_few_images(self):
    settings, measurement = self.measurement_of_points(150, 2000)
    self.assertEqual(measurement.protocol["compared_images"], 150)
    self.assertEqual(measurement.protocol["comparisons"], 13)
    self.assertEqual(measurement.protocol["generated_images"], 2000)
    self.assertIn("150", str(measurement.protocol["real_images"]))
    rng = np.random.default_rng(1)
    good = rng.integers(0, 256, (2000, 16, 16, 1), np.uint8)
    self.assertGreater(self.score_of(settings, measurement, good), 0.98)
    # Nine of ten samples are one image.
    garbage = np.where(rng.random((2000, 1, 1, 1)) < 0.1, good, 0)
    score = self.score_of(settings, measurement, garbage.astype(np.uint8))
    # The share of 150 real images that 15 good ones cover, by
    # 1 - prod_j (150 - j) / (165 - j), over 0.9703 for 150.
    self.assertBetween(score, 0.3, 0.5)

  def test_a_score_is_relative_to_as_many_images(self):
    def run(coverage, **protocol):
      settings = dataclasses.asdict(settings_of("dcgan_mnist"))
      values = {"coverage": np.array([coverage])}
      return Results(
        "dcgan_mnist",
        settings,
        np.arange(1),
        np.arange(len(coverage)),
        values,
        {},
        protocol=protocol,
      )

    for protocol, n in (({"compared_images": 64}, 64), ({}, 2000)):
      j = np.arange(1, 6)
      perfect = 1 - np.prod((n - j) / (2 * n - j))
      np.testing.assert_allclose(
        dcgan.score(run([0.3, perfect, 1, np.nan], **protocol)),
        [[0.3 / perfect, 1, 1, np.nan]],
        rtol=1e-12,
      )
    reason = {NOT_SCORED: "no"}
    np.testing.assert_array_equal(
      dcgan.score(run([0.3, 1], **reason)), [[np.nan, np.nan]]
    )

  @parameterized.parameters("", "weights.npz")
  def test_weights_choose_the_features(self, weights):
    apply = jax.tree_util.Partial(
      lambda images: (images[:, :4, 0, 0], images[:, :7, 1, 0])
    )
    net = image_datasets.FeatureNet(
      classifier.Features("others", apply), {"features": "others"}
    )
    read = self.enterContext(
      mock.patch.object(image_datasets, "inception_net", return_value=net)
    )
    settings = settings_of("conditional_mnist").replace(
      **tiny_images.SETTINGS,
      data_dir=str(self.folder / "data"),
      inception_weights=weights,
    )
    problem = dcgan.build(settings)
    key = jax.random.key(0)
    state = jax.eval_shape(problem.init, key)
    assert problem.measure is not None
    metrics = jax.eval_shape(problem.measure, state, key, problem.data)
    self.assertEqual(problem.protocol["features"] == "others", bool(weights))
    self.assertEqual("features_accuracy" in problem.protocol, not weights)
    self.assertIn("frechet_distance", metrics)
    for name in ("classes_covered", "label_accuracy"):
      self.assertEqual(name in metrics, not weights)
    self.assertEqual(read.call_args_list, [mock.call(weights)] * bool(weights))

  def test_inception_is_named_by_its_weights(self):
    path = self.folder / "weights.npz"
    arrays = {
      name: np.zeros(shape, np.float32)
      for name, shape in inception.weight_shapes().items()
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)
    net = image_datasets.inception_net(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    name = f"Inception v3, sha256 {digest}"
    self.assertEqual(net.features.name, name)
    self.assertEqual(net.protocol, {"features": name})

  @parameterized.parameters(
    ("nothing", None, " cannot be read: No such file"),
    ("data", None, " cannot be read: Is a directory"),
    ("some.pth", b"<html>", ": no whole file of PyTorch or NumPy$"),
  )
  def test_no_weights(self, name, content, message):
    path = self.folder / name
    if content is not None:
      path.write_bytes(content)
    with self.assertRaisesRegex(
      SettingError, f"^--inception_weights={path}{message}"
    ):
      image_datasets.inception_net(str(path))


if __name__ == "__main__":
  absltest.main()
