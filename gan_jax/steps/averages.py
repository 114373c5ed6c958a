"""Averages of the iterates, to evaluate in their place."""

from collections.abc import Callable

import optax

from gan_jax.types import Array, Batch, Players, PRNGKey, Step, TrainState


def uniform_decay(num_steps: Array) -> Array:
  """Returns the decay that makes the average the mean of all points so far.

  decay = t / (t + 1) after t steps, which weighs all t + 1 points alike, the
  initial one among them.

  Args:
    num_steps: [] t, at least 1.

  Returns:
    [] the decay, for `averaged`.

  References:
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, section 3.1.
  """
  return num_steps / (num_steps + 1.0)


def averaged(
  step: Step, decay: float | Array | Callable[[Array], Array]
) -> Step:
  """Makes a step that also keeps an average of the generator, or of both.

    average <- decay * average + (1 - decay) * generator,  after each step.

  The average takes no part in training; it is there to be evaluated.

  Args:
    step: any step, on a state from `init_state(..., average=True)`, or
      `average_both=True` for an average of each player.
    decay: in [0, 1); 0 copies the generator. A constant makes an exponential
      average. A function is given the number of steps taken, this one included;
      `uniform_decay` makes the mean.

  Returns:
    The step, with `averages` of the state updated.

  References:
    Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training",
    arXiv:1806.04498, equation 5.
  """

  def averaged_step(state: TrainState, batch: Batch, key: PRNGKey):
    state, metrics = step(state, batch, key)
    of_both = isinstance(state.averages, Players)
    averages = optax.incremental_update(
      state.params if of_both else state.params.generator,
      state.averages,
      1.0 - (decay(state.step) if callable(decay) else decay),
    )
    return state.replace(averages=averages), metrics

  return averaged_step
