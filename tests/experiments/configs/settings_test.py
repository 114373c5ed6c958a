"""Settings: parsing, ranges, combinations."""

from absl.testing import absltest, parameterized

from experiments.configs import settings
from experiments.configs.fields import SettingError, fields_of
from experiments.configs.registry import EXPERIMENTS
from experiments.configs.settings import MLPGeneratorSettings, Settings
from experiments.configs.toy_1d import (
  OneDimensionalSettings,
  PerceptronSettings,
)

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
    ("loss", "hing", "one of minimax"),
    ("loss", "", "one of minimax"),
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
    with self.assertRaisesRegex(SettingError, "did you mean 'batch_size'"):
      settings.with_values(DEFAULTS, {"batchsize": "3"})

  def test_a_typed_value_is_checked_too(self):
    with self.assertRaisesRegex(SettingError, "at least 1"):
      settings.with_values(DEFAULTS, {"steps": 0})

  @parameterized.parameters(
    ({"discriminator_steps": "5"}, "needs --update=alternating"),
    ({"generator_steps": "2"}, "needs --update=alternating"),
    (
      {"consensus_weight": "1"},
      "no effect with --update=simultaneous; --update=consensus reads it",
    ),
    ({"unrolled_steps": "-1", "update": "unrolled"}, "at least 0"),
    (
      {"penalty": "r1,r2", "penalty_weight": "1,2,3"},
      "3 numbers for the 2 of --penalty",
    ),
    ({"penalty_weight": "1,2"}, "2 numbers for the 0 of --penalty"),
    ({"penalty_weight": "2"}, "no effect without a --penalty"),
    ({"penalty_every": "16"}, "no effect without a --penalty"),
    (
      {"penalty": "r1", "penalty_target": "0"},
      "no effect without one of --penalty=gradient_penalty",
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
      "needs a loss with labels, not --loss=hinge; allowed: minimax",
    ),
    ({"instance_noise_decay": "none"}, "without an --instance_noise above 0"),
    ({"replay_share": "0.1"}, "without a --replay_size above 0"),
    (
      {"averaging": "uniform", "generator_average": "0.9"},
      "without --averaging=exponential",
    ),
    (
      {"optimizer": "sgd", "generator_beta1": "0.5"},
      "no effect with --optimizer=sgd, which reads no betas",
    ),
    (
      {"optimizer": "rmsprop", "discriminator_beta1": "0.5"},
      "which reads beta2",
    ),
  )
  def test_a_combination_without_sense_is_refused(self, values, message):
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
    ({"latent_join": "added", "generator_depth": "0"}, "needs hidden layers"),
    ({"latent_join": "split", "latent_dim": "2"}, "leaves none for some of"),
    (
      {"latent_join": "split", "latent_dim": "3", "latent_join_scale": "1"},
      "without --latent_join=added or multiplied",
    ),
  )
  def test_latents_without_sense_are_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      settings.with_values(MLPGeneratorSettings(), values)

  @parameterized.parameters(
    (
      {"batch_size": "1", "discriminator_normalization": "batch"},
      "nothing to compare",
    ),
    (
      {"batch_size": "1", "discriminator_minibatch": "discrimination"},
      "nothing to compare",
    ),
    ({"replay_size": "9", "replay_share": "0.001"}, "is no sample"),
    (
      {"discriminator_depth": "0", "discriminator_pieces": "3"},
      "leaves no hidden layers",
    ),
    (
      {"generator_depth": "0", "generator_activation": "tanh"},
      "leaves no hidden layers",
    ),
    ({"penalty": "r1", "penalty_weight": "1e39"}, "finite"),
  )
  def test_what_cannot_train_is_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      settings.with_values(MLPGeneratorSettings(), values)

  def test_latents_of_layers_that_do_not_act_are_refused(self):
    with self.assertRaisesRegex(SettingError, "do not act"):
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

  def test_log_interval(self):
    self.assertEqual(DEFAULTS.replace(steps=5000).log_interval(), 50)
    self.assertEqual(DEFAULTS.replace(steps=5).log_interval(), 1)
    self.assertEqual(DEFAULTS.replace(log_every=7).log_interval(), 7)

  def test_every_default_is_allowed_and_survives_its_own_text(self):
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
