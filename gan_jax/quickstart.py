"""One call from a loss and two networks to a compiled training step."""

from collections.abc import Callable
from typing import Any

from flax import linen as nn

from gan_jax import games, steps
from gan_jax.losses import AdversarialLoss
from gan_jax.types import Array, PRNGKey, Step, TrainState


def simultaneous(
  loss: AdversarialLoss,
  generator: nn.Module,
  discriminator: nn.Module,
  latents: Callable[[PRNGKey, int], Array],
  optimizers: steps.Optimizers,
  **options: Any,
) -> tuple[Callable[[PRNGKey], TrainState], Step]:
  """Makes the initial state and the compiled simultaneous step of a GAN.

    init, step = gan_jax.simultaneous(
      losses.hinge(), generator, discriminator, latents, optimizers
    )
    state = init(key)
    state, metrics = step(state, batch, key)

  The step donates the state, so the state passed in must not be used again.
  For another update rule, or for samples, make a `games.adversarial` and use
  `steps` directly, as this function does.

  Args:
    loss: both players' costs as functions of the logits.
    generator: module (latents [n, k], train) -> samples [n, ...].
    discriminator: module (samples [n, ...], train) -> logits [n, 1].
    latents: (key, n) -> [n, k], the prior.
    optimizers: `Players(generator=..., discriminator=...)` of optax optimizers.
    **options: passed on to `games.adversarial`, such as `penalty`.

  Returns:
    (init, step): `init(key)` is the state at step 0, and `step(state, batch,
    key)` the next state and the metrics.
  """
  game = games.adversarial(generator, discriminator, loss, latents, **options)
  step = steps.compiled(steps.simultaneous(game, optimizers))
  return lambda key: steps.init_state(game, optimizers, key), step
