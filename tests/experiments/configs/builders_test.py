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


if __name__ == "__main__":
  absltest.main()
