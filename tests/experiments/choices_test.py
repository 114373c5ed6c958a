"""Every word that a flag takes makes something that trains."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from experiments import choices
from experiments.registry import BY_NAME

NORMAL = BY_NAME["normal"]
SMALL = {"batch_size": 8, "discriminator_width": 8, "evaluation_samples": 16}
WORDS = (
  *(("loss", name) for name in choices.LOSSES),
  *(("optimizer", name) for name in choices.OPTIMIZERS),
  *(("learning_rate_decay", name) for name in choices.LEARNING_RATE_DECAYS),
  *(("latent_prior", name) for name in choices.LATENT_PRIORS),
  *(("initializer", name) for name in choices.INITIALIZERS),
)


class ChoicesTest(parameterized.TestCase):
  @parameterized.parameters(*WORDS)
  def test_two_simultaneous_steps(self, setting, word):
    settings = NORMAL.settings.replace(
      update="simultaneous", **SMALL, **{setting: word}
    )
    problem = NORMAL.build(settings)
    keys = jax.random.split(jax.random.key(0), 4)
    state = problem.init(keys[0])
    old = state.params
    step = jax.jit(problem.step)
    for key in keys[1:3]:
      state, metrics = step(state, problem.sample_batch(key), key)
      for name, value in metrics.items():
        self.assertTrue(np.isfinite(value), name)
    for player, before, after in zip(
      old._fields, old, state.params, strict=True
    ):
      moved = [
        np.any(a != b)
        for a, b in zip(
          jax.tree.leaves(before), jax.tree.leaves(after), strict=True
        )
      ]
      self.assertTrue(any(moved), player)


if __name__ == "__main__":
  absltest.main()
