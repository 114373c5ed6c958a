"""Settings: parsing, ranges, combinations."""

import dataclasses
from unittest import mock

import jax.numpy as jnp
from absl.testing import absltest, parameterized

from experiments.configs import choices, settings
from experiments.configs.fields import fields_of, setting
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.configs.settings import MLPGeneratorSettings, Settings
from experiments.configs.toy_1d import (
  OneDimensionalSettings,
  PerceptronSettings,
)
from experiments.errors import SettingError
from gan_jax.divergences.f_divergences import F_DIVERGENCES

DEFAULTS = Settings()


class SettingsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("steps", "12", 12),
    ("generator_learning_rate", "1e-4", 1e-4),
    ("discriminator_dropout", "0", 0.0),
    ("loss", "hinge", "hinge"),
  )
  def test_text_becomes_a_typed_value(self, name, text, expected):
    changed = settings.with_values(DEFAULTS, {name: text})
    self.assertEqual(getattr(changed, name), expected)
    self.assertIs(type(getattr(changed, name)), type(expected))

  def test_lists_and_booleans(self):
    changed = settings.with_values(
      OneDimensionalSettings(),
      {"input_mean": "-3, 7.5", "published_networks": "true"},
    )
    self.assertEqual(changed.input_mean, (-3.0, 7.5))
    self.assertIs(changed.published_networks, True)

  @parameterized.parameters(
    ("steps", "many", "at least 1"),
    ("steps", "1.5", "a whole number"),
    ("steps", "0", "at least 1"),
    ("steps", "-3", "at least 1"),
    ("generator_learning_rate", "nan", "above 0"),
    ("generator_learning_rate", "inf", "above 0"),
    ("generator_learning_rate", "0", "above 0"),
    ("generator_beta1", "1", "below 1"),
    ("discriminator_dropout", "-0.1", "at least 0 and below 1"),
    ("generator_learning_rate", "1e+39", "numbers of 1.18e-38 to 3.4e+38"),
    ("generator_learning_rate", "1e-46", "numbers of 1.18e-38 to 3.4e+38"),
    ("loss", "hing", "one of minimax"),
    ("loss", "", "one of minimax"),
    ("generator_objective", "heuristic", "one of standard, practical"),
  )
  def test_a_wrong_value_is_refused_in_one_line(self, name, text, allowed):
    with self.assertRaises(SettingError) as caught:
      settings.with_values(DEFAULTS, {name: text})
    message = str(caught.exception)
    self.assertIn(f"--{name}={text}", message)
    self.assertIn(allowed, message)
    self.assertNotIn("\n", message)

  @parameterized.parameters("1,,2", "", "1,nan", "a,b")
  def test_a_wrong_list_is_refused(self, text):
    with self.assertRaisesRegex(SettingError, "separated by commas"):
      settings.with_values(OneDimensionalSettings(), {"input_mean": text})

  def test_an_unknown_name_offers_the_nearest(self):
    with self.assertRaisesRegex(SettingError, "did you mean --batch_size"):
      settings.with_values(DEFAULTS, {"batchsize": "3"})

  def test_a_typed_value_is_checked_too(self):
    with self.assertRaisesRegex(SettingError, "at least 1"):
      settings.with_values(DEFAULTS, {"steps": 0})

  @parameterized.parameters(
    (
      {"discriminator_steps": "5"},
      "no effect without --update=alternating; --update is simultaneous",
    ),
    ({"generator_steps": "2"}, "without --update=alternating"),
    (
      {"consensus_weight": "1"},
      "no effect without --update=consensus; --update is simultaneous",
    ),
    ({"unrolled_steps": "-1", "update": "unrolled"}, "at least 0"),
    (
      {"penalty": "r1,r2", "penalty_weight": "1,2,3"},
      "3 numbers for the 2 of --penalty",
    ),
    ({"penalty_weight": "1,2"}, "no effect without a --penalty"),
    ({"penalty_weight": "2"}, "no effect without a --penalty"),
    ({"penalty_every": "16"}, "no effect without a --penalty"),
    (
      {"penalty": "r1", "penalty_target": "0"},
      "no effect without --penalty=gradient_penalty or one_sided_gradient",
    ),
    ({"consistency_noise": "1"}, "no effect without --penalty=consistency"),
    ({"penalty": "r1,r1"}, "none, or some of"),
    ({"penalty": "r3"}, "none, or some of gradient_penalty, one_sided"),
    (
      {"weight_clipping": "0.01", "discriminator_normalization": "spectral"},
      "choose one",
    ),
    (
      {"packing": "2", "loss": "relativistic_pairing"},
      "pairs single real and generated samples",
    ),
    (
      {"label_smoothing": "0.1", "loss": "hinge"},
      "no effect without --loss=minimax or non_saturating or .* is hinge",
    ),
    *(
      (
        {"generator_objective": "practical", "loss": loss},
        f"--generator_objective=practical cannot be .* with --loss={loss}: "
        f"{reason}; it is for f_kl, f_reverse_kl,",
      )
      for loss, reason in (
        ("minimax", "its practical objective is --loss=non_saturating"),
        ("wasserstein", "both objectives have the same gradient"),
        ("bounded_linear", "both objectives have the same gradient"),
        ("f_total_variation", "both objectives have the same gradient"),
        ("non_saturating", "it is not zero-sum"),
        ("hinge", "it is not zero-sum"),
        ("relativistic_pairing", "it is not zero-sum"),
      )
    ),
    ({"instance_noise_decay": "none"}, "without --instance_noise above 0"),
    ({"replay_share": "0.1"}, "without --replay_size above 0"),
    (
      {"averaging": "uniform", "generator_average": "0.9"},
      "without --averaging=exponential",
    ),
    (
      {"optimizer": "sgd", "generator_beta1": "0.5"},
      "no effect without --optimizer=adam or .*; --optimizer is sgd",
    ),
    (
      {"optimizer": "rmsprop", "discriminator_beta1": "0.5"},
      "no effect without --optimizer=adam or optimistic_adam;",
    ),
  )
  def test_an_invalid_combination_is_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      settings.with_values(DEFAULTS, values)

  def test_words_are_read_and_written(self):
    changed = settings.with_values(DEFAULTS, {"penalty": "r1, r2"})
    self.assertEqual(changed.penalty, ("r1", "r2"))
    field = next(f for f in fields_of(Settings) if f.name == "penalty")
    self.assertEqual(field.format(changed.penalty), "r1,r2")
    self.assertEqual(field.format(()), "none")
    self.assertEqual(field.parse("none"), ())

  @parameterized.parameters(
    (
      {"latent_join": "added", "generator_depth": "0"},
      "without --generator_depth above 0",
    ),
    (
      {"latent_join": "split", "latent_dim": "2"},
      "one latent for each of the 3",
    ),
    (
      {"latent_join": "split", "latent_dim": "3", "latent_join_scale": "1"},
      "without --latent_join=added or multiplied",
    ),
  )
  def test_invalid_latents_are_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      settings.with_values(MLPGeneratorSettings(), values)

  @parameterized.parameters(
    # DCGAN's two hidden maps and the three of two residual blocks.
    ({"latent_dim": "2"}, "one latent for each of the 3 layers"),
    (
      {"latent_dim": "3", "architecture": "resnet"},
      "one latent for each of the 4 layers",
    ),
    (
      {"latent_join": "none", "latent_join_scale": "1"},
      "no effect without --latent_join=added or multiplied",
    ),
    ({"latent_join": "twice"}, "one of none, split, repeated, added, mul"),
  )
  def test_invalid_latents_of_images_are_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      settings.with_values(
        BY_NAME["dcgan_mnist"].settings, {"latent_join": "split", **values}
      )

  def test_a_generator_without_joins_is_refused(self):
    plain = choices.Architecture(choices.ARCHITECTURES["resnet"].networks)
    with (
      mock.patch.dict(choices.ARCHITECTURES, resnet=plain),
      self.assertRaisesRegex(
        SettingError,
        "^--latent_join=added is not available for --architecture=resnet, "
        "whose latents enter the first layer only; it is for dcgan$",
      ),
    ):
      settings.with_values(
        BY_NAME["dcgan_cifar10"].settings,
        {"latent_join": "added", "architecture": "resnet"},
      )

  @parameterized.parameters(
    (
      {"batch_size": "1", "discriminator_normalization": "batch"},
      "nothing to compare",
    ),
    (
      {"batch_size": "1", "discriminator_minibatch": "discrimination"},
      "nothing to compare",
    ),
    ({"replay_size": "9", "replay_share": "0.001"}, "less than one sample"),
    (
      {"discriminator_depth": "0", "discriminator_pieces": "3"},
      "no effect without --discriminator_depth above 0",
    ),
    (
      {"generator_depth": "0", "generator_activation": "tanh"},
      "no effect without --generator_depth above 0",
    ),
    ({"penalty": "r1", "penalty_weight": "1e39"}, "float32"),
  )
  def test_what_cannot_train_is_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      settings.with_values(MLPGeneratorSettings(), values)

  def test_latents_of_layers_without_effect_are_refused(self):
    with self.assertRaisesRegex(SettingError, "have no effect"):
      settings.with_values(
        PerceptronSettings(),
        {"published_networks": "true", "latent_join": "added"},
      )

  def test_counts_of_means_and_deviations_must_agree(self):
    with self.assertRaisesRegex(SettingError, "2 numbers for the 3"):
      settings.with_values(
        OneDimensionalSettings(),
        {"input_mean": "1,2,3", "input_stddev": "1,2"},
      )

  def test_only_what_the_user_changes_must_have_an_effect(self):
    # ring sets beta1 and the average itself, which sgd and uniform ignore.
    ring = BY_NAME["ring"].settings
    settings.with_values(ring, {"optimizer": "sgd", "averaging": "uniform"})
    # Alternating steps would change the game, whoever set them.
    several = DEFAULTS.replace(update="alternating", discriminator_steps=5)
    with self.assertRaisesRegex(SettingError, "--discriminator_steps=5"):
      settings.with_values(several, {"update": "simultaneous"})

  def test_a_new_setting_declares_its_requirements_in_one_line(self):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class WithSpeed(Settings):
      speed: float = setting(1.0, "speed", requires="loss=hinge,wasserstein")

    settings.with_values(WithSpeed(), {"speed": "2", "loss": "hinge"})
    with self.assertRaisesRegex(
      SettingError,
      "--speed=2 has no effect without --loss=hinge or wasserstein; --loss is "
      "non_saturating",
    ):
      settings.with_values(WithSpeed(), {"speed": "2"})

  def test_every_requirement_names_a_setting_and_its_words(self):
    for experiment in EXPERIMENTS:
      fields = {f.name: f for f in fields_of(type(experiment.settings))}
      for field in fields.values():
        name, _, words = field.metadata["requires"].partition("=")
        # The images' networks have no depths of these names.
        if name and name not in ("discriminator_depth", "generator_depth"):
          allowed = fields[name].metadata["choices"]
          self.assertLessEqual(set(filter(None, words.split(","))), {*allowed})

  def test_the_names_of_the_library(self):
    self.assertEqual(choices.F_DIVERGENCES, tuple(F_DIVERGENCES))

  def test_every_zero_sum_loss_has_a_practical_objective_or_says_why_not(self):
    logits = jnp.array([0.5, -1.0]), jnp.array([0.25, 2.0])
    for name, make in choices.LOSSES.items():
      loss = make()
      if loss.generator(*logits) == -loss.discriminator(*logits):
        self.assertIn(name, {*choices.PRACTICAL_LOSSES, *choices.NOT_PRACTICAL})

  def test_settings_of_one_name_have_one_type(self):
    types = {}
    for experiment in EXPERIMENTS:
      for field in fields_of(type(experiment.settings)):
        self.assertEqual(types.setdefault(field.name, field.type), field.type)

  def test_log_interval(self):
    self.assertEqual(DEFAULTS.replace(steps=5000).log_interval(), 50)
    self.assertEqual(DEFAULTS.replace(steps=5).log_interval(), 1)
    self.assertEqual(DEFAULTS.replace(log_every=7).log_interval(), 7)

  def test_every_default_is_allowed_and_survives_as_text(self):
    for experiment in EXPERIMENTS:
      experiment.settings.check()
      texts = {
        field.name: field.format(getattr(experiment.settings, field.name))
        for field in fields_of(type(experiment.settings))
      }
      again = settings.with_values(experiment.settings, texts)
      self.assertEqual(again, experiment.settings, experiment.name)

  def test_every_setting_is_documented(self):
    for experiment in EXPERIMENTS:
      for field in fields_of(type(experiment.settings)):
        self.assertTrue(field.metadata["help"], field.name)
        self.assertTrue(field.allowed(), field.name)


if __name__ == "__main__":
  absltest.main()
