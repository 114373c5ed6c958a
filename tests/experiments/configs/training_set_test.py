"""Training sets that are drawn from a density, and what D says of them."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.configs import builders
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.errors import SettingError
from gan_jax.data import densities

SIZE = 5
KEY = jax.random.key(7)
SLOPE, BIAS = 3.0, 0.25


def build(name="normal", **values):
  settings = BY_NAME[name].settings.replace(
    discriminator_width=8, evaluation_samples=400, **values
  )
  return BY_NAME[name].build(settings)


def with_linear_discriminator(state):
  """Gives a discriminator without hidden layers the logit 3 x + 1/4."""
  parameters = {
    layer: {"kernel": jnp.full((1, 1), SLOPE), "bias": jnp.full(1, BIAS)}
    for layer in state.params.discriminator
  }
  return state.replace(params=state.params._replace(discriminator=parameters))


class TrainingSetTest(parameterized.TestCase):
  def test_batches_are_drawn_from_the_whole_set(self):
    problem = build("ring", training_samples=SIZE)
    assert problem.member_data is not None
    training_set = problem.member_data(KEY, ())
    self.assertEqual(training_set.shape, (SIZE, 2))
    batch = np.asarray(problem.sample_batch(jax.random.key(1), training_set))
    self.assertEqual(batch.shape, (64, 2))
    self.assertEqual(
      {tuple(x) for x in batch}, {tuple(x) for x in np.asarray(training_set)}
    )

  def test_the_set_is_that_of_the_key(self):
    member_data = build("ring", training_samples=SIZE).member_data
    assert member_data is not None
    first, again = member_data(KEY, ()), member_data(KEY, ())
    np.testing.assert_array_equal(first, again)
    other = member_data(jax.random.key(8), ())
    self.assertGreater(np.abs(np.asarray(other) - first).max(), 0.1)

  @parameterized.parameters("ring", "mixture_near", "mixture_near_mlp")
  def test_without_a_set_samples_are_new(self, name):
    problem = build(name)
    self.assertIsNone(problem.member_data)
    names = jax.eval_shape(
      lambda key: problem.evaluate(problem.init(key), key, ()), KEY
    )
    for metric in names:
      self.assertNotRegex(metric, "_train$|_held_out$")
    density = densities.ring()
    np.testing.assert_array_equal(
      builders.from_density(density).sample((), KEY, 9), density.sample(KEY, 9)
    )

  def evaluate(self, training_set, **values):
    problem = build(
      discriminator_depth=0, training_samples=len(training_set), **values
    )
    state = with_linear_discriminator(problem.init(KEY))
    return jax.jit(problem.evaluate)(state, KEY, training_set)

  def test_a_critic_on_the_set_and_on_other_samples(self):
    # The data is N(15, 7^2), and the critic is linear.
    training_set = np.array([[1.0], [2.0], [6.0]], np.float32)
    metrics = self.evaluate(training_set, loss="wasserstein")
    np.testing.assert_allclose(
      metrics["critic_train"], SLOPE * 3 + BIAS, rtol=1e-6
    )
    # 400 samples: five standard errors.
    np.testing.assert_allclose(
      metrics["critic_held_out"], SLOPE * 15 + BIAS, atol=5 * SLOPE * 7 / 20
    )
    self.assertNotIn("discriminator_train", metrics)

  def test_a_probability_on_the_set_and_on_other_samples(self):
    training_set = np.array([[-0.3], [0.1]], np.float32)
    metrics = self.evaluate(
      training_set, loss="minimax", input_mean=(0.0,), input_stddev=(1e-3,)
    )
    logits = SLOPE * training_set[:, 0] + BIAS
    np.testing.assert_allclose(
      metrics["discriminator_train"], np.mean(1 / (1 + np.exp(-logits))), 1e-6
    )
    np.testing.assert_allclose(
      metrics["discriminator_held_out"], 1 / (1 + np.exp(-BIAS)), atol=1e-3
    )

  def test_of_a_large_set_as_many_are_judged_as_in_an_evaluation(self):
    training_set = np.zeros((500, 1), np.float32)
    training_set[400:] = 1e6
    metrics = self.evaluate(training_set, loss="wasserstein")
    self.assertEqual(metrics["critic_train"], BIAS)

  def test_minibatch_layers_and_packs_judge_no_single_sample(self):
    for values in (
      {"discriminator_minibatch": "standard_deviation"},
      {"packing": 2},
    ):
      problem = build("ring", training_samples=SIZE, **values)
      names = jax.eval_shape(
        lambda key, problem=problem: problem.evaluate(
          problem.init(key), key, jnp.zeros((SIZE, 2))
        ),
        KEY,
      )
      self.assertNotIn("discriminator_train", names)
      self.assertIn("discriminator_real", names)

  @parameterized.parameters("-1", "1.5", "ten", "1000001")
  def test_other_numbers_are_refused(self, text):
    with self.assertRaisesRegex(
      SettingError, "whole number at least 0 and at most 1,000,000"
    ):
      with_values(BY_NAME["grid"].settings, {"training_samples": text})

  @parameterized.parameters("dcgan_mnist", "cycle_rings")
  def test_other_data_have_no_such_set(self, name):
    with self.assertRaisesRegex(SettingError, "no --training_samples"):
      with_values(BY_NAME[name].settings, {"training_samples": "9"})


class DensityRatioTest(parameterized.TestCase):
  def test_the_best_discriminator_has_no_error(self):
    # log p/q of N(1, 1) and N(-2, 1) is 3 x + 3/2, and D has 3 x + 1/4. With
    # the bias 3/2 it is the best.
    values = {
      "discriminator_depth": 0,
      "input_mean": (1.0,),
      "input_stddev": (1.0,),
    }
    problem = build(**values)
    state = with_linear_discriminator(problem.init(KEY))
    best = jax.tree.map(
      lambda x: x + (1.5 - BIAS) * (x.ndim == 1), state.params.discriminator
    )
    generator = {"mean": jnp.full(1, -2.0), "stddev": jnp.ones(1)}
    state = state.replace(
      params=state.params._replace(generator=generator, discriminator=best)
    )
    metrics = jax.jit(problem.evaluate)(state, KEY, ())
    self.assertLess(metrics["density_ratio_error"], 1e-5)
    # D* of the data's label 0.8 is 0.8 of the other.
    problem = build(**values, label_smoothing=0.2)
    smoothed = jax.jit(problem.evaluate)(state, KEY, ())["density_ratio_error"]
    real, fake = metrics["discriminator_real"], metrics["discriminator_fake"]
    np.testing.assert_allclose(smoothed, 0.2 * (real + fake) / 2, atol=0.005)

  @parameterized.parameters(
    ("mixture_near", {"latent_prior": "uniform"}),
    ("mixture_near", {"instance_noise": 0.1}),
    ("mixture_near", {"packing": 2}),
    ("mixture_near", {"loss": "hinge"}),
    ("mixture_near_mlp", {}),
    ("ring", {}),
  )
  def test_it_is_logged_only_where_both_densities_are_known(self, name, values):
    problem = build(name, **values)
    names = jax.eval_shape(
      lambda key: problem.evaluate(problem.init(key), key, ()), KEY
    )
    self.assertNotIn("density_ratio_error", names)

  @parameterized.parameters("normal", "mixture_near", "mixture_far")
  def test_it_is_not_logged_of_the_average(self, name):
    problem = build(name, generator_average=0.9)
    names = jax.eval_shape(
      lambda key: problem.evaluate(problem.init(key), key, ()), KEY
    )
    self.assertIn("density_ratio_error", names)
    self.assertNotIn("average_density_ratio_error", names)


if __name__ == "__main__":
  absltest.main()
