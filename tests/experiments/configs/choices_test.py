"""Every word that a flag takes makes something that trains."""

from typing import Any

import jax
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized

from experiments.configs.choices import OPTIMIZERS
from experiments.configs.fields import fields_of
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values

RING = BY_NAME["ring"]
SMALL = {
  "batch_size": "8",
  "generator_width": "4",
  "generator_depth": "1",
  "discriminator_depth": "1",
  "discriminator_width": "4",
  "evaluation_samples": "16",
  "latent_dim": "3",
}
# What a word needs beside it.
BESIDE = {
  "instance_noise_decay": {"instance_noise": "0.1"},
  "generator_objective": {"loss": "f_kl"},
}
WORDS = tuple(
  (f"{field.name}_{word}", field.name, word)
  for field in fields_of(type(RING.settings))
  for word in field.metadata["choices"]
)
# The last word of each setting.
FAST = tuple(
  case
  for case, following in zip(WORDS, (*WORDS[1:], ("", "", "")), strict=True)
  if case[1] != following[1]
)


class ChoicesTest(parameterized.TestCase):
  @parameterized.named_parameters(*FAST)
  def test_two_steps(self, setting, word):
    self.check_two_steps(setting, word)

  @parameterized.named_parameters(*(case for case in WORDS if case not in FAST))
  @pytest.mark.slow
  def test_two_steps_of_the_others(self, setting, word):
    self.check_two_steps(setting, word)

  def check_two_steps(self, setting, word):
    settings = with_values(
      RING.settings, {**SMALL, **BESIDE.get(setting, {}), setting: word}
    )
    problem = RING.build(settings)
    keys = jax.random.split(jax.random.key(0), 3)
    state = problem.init(keys[0])
    before = state.params
    step = jax.jit(
      problem.step, compiler_options={"xla_backend_optimization_level": 0}
    )
    for key in keys[1:]:
      state, metrics = step(state, problem.sample_batch(key, problem.data), key)
      for name, value in metrics.items():
        self.assertTrue(np.isfinite(value), name)
    for player, old, new in zip(
      before._fields, before, state.params, strict=True
    ):
      moved = [
        np.any(a != b)
        for a, b in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True)
      ]
      self.assertTrue(any(moved), player)

  def test_optimistic_adam_is_the_published_algorithm(self):
    # Algorithm 1 of Daskalakis et al., "Training GANs with Optimism" (2018),
    # but for its first step, where optax has no gradient before the first one.
    rate, beta1, beta2, epsilon = 0.1, 0.5, 0.9, 1e-8
    gradients = np.random.default_rng(0).normal(size=(6, 3))
    expected, first, second, last = np.zeros(3), 0.0, 0.0, None
    for index, gradient in enumerate(gradients, start=1):
      first = beta1 * first + (1 - beta1) * gradient
      second = beta2 * second + (1 - beta2) * gradient**2
      ratio = (first / (1 - beta1**index)) / (
        np.sqrt(second / (1 - beta2**index)) + epsilon
      )
      last = ratio if last is None else last
      expected = expected - 2 * rate * ratio + rate * last
      last = ratio

    optimizer = OPTIMIZERS["optimistic_adam"](rate, beta1, beta2, 0.0)
    params: Any = np.zeros(3)
    state = optimizer.init(params)
    for gradient in gradients:
      updates, state = optimizer.update(gradient, state, params)
      params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params, expected, rtol=1e-5)


if __name__ == "__main__":
  absltest.main()
