"""What the average of a generator draws its samples with."""

import jax
import numpy as np
from absl.testing import absltest

from experiments.configs.registry import BY_NAME


class AverageTest(absltest.TestCase):
  def test_it_is_sampled_with_its_batch_statistics(self):
    experiment = BY_NAME["ring"]
    problem = experiment.build(
      experiment.settings.replace(
        generator_normalization="batch",
        generator_width=8,
        discriminator_width=8,
        evaluation_samples=64,
      )
    )
    assert problem.sample is not None
    key = jax.random.key(0)
    state = problem.init(key)
    samples = np.asarray(problem.sample(state, key, 9))

    def doubled(tree):
      return jax.tree.map(lambda x: 2 * x + 1, tree)

    # The statistics of the generator itself do not matter to its average.
    variables = state.variables._replace(
      generator=doubled(state.variables.generator)
    )
    np.testing.assert_array_equal(
      problem.sample(state.replace(variables=variables), key, 9), samples
    )
    changed = state.replace(
      average_statistics=doubled(state.average_statistics)
    )
    other = np.asarray(problem.sample(changed, key, 9))
    self.assertGreater(np.abs(other - samples).max(), 1e-3)
    # Nor do they to what is measured of it.
    metrics = [
      problem.evaluate(each, key, problem.data)
      for each in (state, state.replace(variables=variables), changed)
    ]
    kl = [float(each["average_reverse_kl"]) for each in metrics]
    self.assertEqual(kl[0], kl[1])
    self.assertNotEqual(kl[0], kl[2])


class GradientNormsTest(absltest.TestCase):
  def test_a_linear_critic_of_a_linear_generator(self):
    # With C(x) = w x + b and G(z) = s z + m, the Wasserstein costs have the
    # slopes dJ_D/dw = E fake - E real, dJ_D/db = 0, dJ_G/dm = -w and
    # dJ_G/ds = -w E z. The means of the critic tell both expectations.
    experiment = BY_NAME["normal"]
    problem = experiment.build(
      experiment.settings.replace(
        loss="wasserstein",
        discriminator_depth=0,
        batch_size=64,
        evaluation_samples=64,
      )
    )
    key = jax.random.key(3)
    state = problem.init(key)
    generator = {"mean": np.array([0.5]), "stddev": np.array([2.0])}
    (layer,) = state.params.discriminator.values()
    discriminator = {
      name: {"kernel": 0 * layer["kernel"] + 3.0, "bias": np.array([0.25])}
      for name in state.params.discriminator
    }
    state = state.replace(
      params=state.params._replace(
        generator=jax.tree.map(np.float32, generator),
        discriminator=jax.tree.map(np.float32, discriminator),
      )
    )
    metrics = jax.device_get(problem.evaluate(state, key, problem.data))
    distance = metrics["critic_real"] - metrics["critic_fake"]
    np.testing.assert_allclose(metrics["critic_distance"], distance, rtol=1e-6)
    np.testing.assert_allclose(
      metrics["discriminator_gradient_norm"], abs(distance) / 3, rtol=1e-5
    )
    mean_latent = ((metrics["critic_fake"] - 0.25) / 3 - 0.5) / 2
    np.testing.assert_allclose(
      metrics["generator_gradient_norm"],
      3 * np.sqrt(1 + mean_latent**2),
      rtol=1e-5,
    )

  def test_a_probability_has_no_distance(self):
    experiment = BY_NAME["normal"]
    problem = experiment.build(
      experiment.settings.replace(evaluation_samples=64)
    )
    names = jax.eval_shape(
      lambda key: problem.evaluate(problem.init(key), key, problem.data),
      jax.random.key(0),
    )
    self.assertNotIn("critic_distance", names)
    self.assertIn("generator_gradient_norm", names)


if __name__ == "__main__":
  absltest.main()
