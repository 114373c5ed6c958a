"""Trains the toy games in PyTorch: textbook, economical and compiled loops."""

# PyTorch is an optional dependency and may be missing when types are checked.
# pyright: reportMissingImports=false

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from benchmarks import toy_game
from benchmarks.timing import Training, UnavailableError
from benchmarks.torch_training import (
  adam,
  apply_gradients,
  make_training,
  steps_taken,
)


def _perceptron(features: int) -> nn.Sequential:
  """Makes a network with this many outputs."""
  layers, width = [], 2
  for hidden in toy_game.HIDDEN:
    layers += [nn.Linear(width, hidden), nn.ReLU()]
    width = hidden
  player = nn.Sequential(*layers, nn.Linear(width, features))
  for layer in player:
    if isinstance(layer, nn.Linear):
      nn.init.kaiming_normal_(layer.weight)
      nn.init.zeros_(layer.bias)
  return player


def _ring() -> Callable[[int], Tensor]:
  """Returns a function n -> [n, 2] that samples the data."""
  angles = torch.arange(toy_game.NUM_MODES) * (2 * math.pi / toy_game.NUM_MODES)
  modes = toy_game.RADIUS * torch.stack([angles.cos(), angles.sin()], dim=-1)

  def sample(n):
    noise = toy_game.STDDEV * torch.randn(n, 2)
    return modes[torch.randint(len(modes), (n,))] + noise

  return sample


def _adam(player: nn.Module, fused: bool) -> torch.optim.Adam:
  betas = toy_game.BETA1, toy_game.BETA2
  return adam(player, toy_game.LEARNING_RATE, betas, fused)


def _make_training(
  step: Callable[[], object],
  num_steps: Callable[[], int],
  generate: Callable[[Tensor], Tensor],
  threads: int,
) -> Training:
  """Makes a training whose generator maps latents [n, k]."""
  shape = toy_game.NUM_GENERATED, toy_game.LATENTS
  return make_training(
    step, num_steps, lambda: generate(torch.randn(shape)), threads
  )


def textbook(batch_size: int, threads: int) -> Training:
  """Starts the alternating loop of PyTorch's tutorial.

  References:
    PyTorch tutorials, "DCGAN Tutorial", the training loop.
  """
  generator, discriminator = _perceptron(2), _perceptron(1)
  generator_optimizer = _adam(generator, fused=False)
  discriminator_optimizer = _adam(discriminator, fused=False)
  sample = _ring()
  cost = nn.BCEWithLogitsLoss()
  is_real, is_fake = torch.ones(batch_size, 1), torch.zeros(batch_size, 1)

  def step():
    real = sample(batch_size)
    fake = generator(torch.randn(batch_size, toy_game.LATENTS))

    discriminator_optimizer.zero_grad()
    discriminator_cost = cost(discriminator(real), is_real)
    discriminator_cost += cost(discriminator(fake.detach()), is_fake)
    discriminator_cost.backward()
    discriminator_optimizer.step()

    generator_optimizer.zero_grad()
    cost(discriminator(fake), is_real).backward()
    generator_optimizer.step()

  return _make_training(
    step, lambda: steps_taken(discriminator_optimizer), generator, threads
  )


def _costs(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
  """Returns the non-saturating costs of the generator and discriminator."""
  return (
    functional.softplus(-fake_logits).mean(),
    functional.softplus(-real_logits).mean()
    + functional.softplus(fake_logits).mean(),
  )


def simultaneous(batch_size: int, threads: int) -> Training:
  """Starts simultaneous updates with one forward pass of D and fused Adam."""
  generator, discriminator = _perceptron(2), _perceptron(1)
  generator_optimizer = _adam(generator, fused=True)
  discriminator_optimizer = _adam(discriminator, fused=True)
  generator_params = tuple(generator.parameters())
  discriminator_params = tuple(discriminator.parameters())
  sample = _ring()

  def step():
    fake = generator(torch.randn(batch_size, toy_game.LATENTS))
    logits = discriminator(torch.cat([sample(batch_size), fake]))
    generator_cost, discriminator_cost = _costs(*logits.split(batch_size))
    discriminator_gradients = torch.autograd.grad(
      discriminator_cost, discriminator_params, retain_graph=True
    )
    generator_gradients = torch.autograd.grad(generator_cost, generator_params)
    apply_gradients(generator_optimizer, generator_params, generator_gradients)
    apply_gradients(
      discriminator_optimizer, discriminator_params, discriminator_gradients
    )

  return _make_training(
    step, lambda: steps_taken(discriminator_optimizer), generator, threads
  )


class _State(NamedTuple):
  """The tensors that a compiled step updates in place, for each player.

  Attributes:
    params: parameters by name.
    means: Adam's means of the gradients by name.
    squares: Adam's means of the squared gradients by name.
    counts: [], the number of Adam's steps.
  """

  params: dict[str, dict[str, Tensor]]
  means: dict[str, dict[str, Tensor]]
  squares: dict[str, dict[str, Tensor]]
  counts: dict[str, Tensor]


def _initial_state(players: Mapping[str, nn.Module]) -> _State:
  params = {
    name: {key: p.detach().clone() for key, p in player.named_parameters()}
    for name, player in players.items()
  }
  means, squares = (
    {
      name: {key: torch.zeros_like(p) for key, p in player_params.items()}
      for name, player_params in params.items()
    }
    for _ in range(2)
  )
  counts = {name: torch.zeros(()) for name in players}
  return _State(params, means, squares, counts)


def _apply_adam(state: _State, name: str, gradients: dict[str, Tensor]) -> None:
  """Updates a player with Adam in place."""
  params, means = state.params[name], state.means[name]
  squares = state.squares[name]
  count = state.counts[name].add_(1)
  for key, gradient in gradients.items():
    means[key].lerp_(gradient, 1 - toy_game.BETA1)
    squares[key].lerp_(gradient.square(), 1 - toy_game.BETA2)
    mean = means[key] / (1 - toy_game.BETA1**count)
    square = squares[key] / (1 - toy_game.BETA2**count)
    params[key].sub_(toy_game.LEARNING_RATE * mean / (square.sqrt() + 1e-8))


def _compiled(
  players: Mapping[str, nn.Module], step: Callable[[_State], None], threads: int
) -> Training:
  """Makes a training whose step is one compiled program.

  The program samples, differentiates and updates with Adam. Python calls it
  once per step through a C++ wrapper.

  Raises:
    UnavailableError: if it cannot be compiled here, for example without a C++
      compiler.
  """
  torch.set_num_threads(threads)
  compiled_step = torch.compile(
    torch.no_grad()(step),
    fullgraph=True,
    dynamic=False,
    options={"cpp_wrapper": True},
  )
  try:
    # Compiling runs a step, so it gets a state that is discarded.
    compiled_step(_initial_state(players))
  # PyTorch loads this module late, so its types do not know it.
  except torch._dynamo.exc.BackendCompilerFailed as error:  # pyright: ignore[reportAttributeAccessIssue]
    # After the first paragraph PyTorch gives advice on debugging itself.
    reason = " ".join(str(error).split("\n\n")[0].split())
    raise UnavailableError(reason) from error
  state = _initial_state(players)
  return _make_training(
    lambda: compiled_step(state),
    lambda: int(state.counts["generator"]),
    lambda latents: functional_call(
      players["generator"], state.params["generator"], (latents,)
    ),
    threads,
  )


def compiled(batch_size: int, threads: int) -> Training:
  """Starts simultaneous updates as one compiled program.

  Raises:
    UnavailableError: if it cannot be compiled here.
  """
  players = {"generator": _perceptron(2), "discriminator": _perceptron(1)}
  sample = _ring()
  one, zero = torch.ones(()), torch.zeros(())

  def costs(generator, discriminator, real, latents):
    fake = functional_call(players["generator"], generator, (latents,))
    logits = functional_call(
      players["discriminator"], discriminator, (torch.cat([real, fake]),)
    )
    return _costs(*logits.split(batch_size))

  def step(state):
    real = sample(batch_size)
    latents = torch.randn(batch_size, toy_game.LATENTS)
    pullback = torch.func.vjp(
      lambda generator, discriminator: costs(
        generator, discriminator, real, latents
      ),
      state.params["generator"],
      state.params["discriminator"],
    )[1]
    generator_gradients = pullback((one, zero), retain_graph=True)[0]
    discriminator_gradients = pullback((zero, one))[1]
    _apply_adam(state, "generator", generator_gradients)
    _apply_adam(state, "discriminator", discriminator_gradients)

  return _compiled(players, step, threads)


def wgan_gp_textbook(batch_size: int, threads: int) -> Training:
  """Starts the authors' loop of WGAN-GP.

  References:
    Gulrajani et al., Improved Training of Wasserstein GANs, arXiv 1704.00028,
      algorithm 1; their code for toy data, in PyTorch.
  """
  generator, critic = _perceptron(2), _perceptron(1)
  generator_optimizer = _adam(generator, fused=False)
  critic_optimizer = _adam(critic, fused=False)
  sample = _ring()

  def penalty(real, fake):
    share = torch.rand(batch_size, 1)
    points = (share * real + (1 - share) * fake).requires_grad_()
    values = critic(points)
    (gradients,) = torch.autograd.grad(
      values, points, torch.ones_like(values), create_graph=True
    )
    excess = gradients.norm(2, dim=1) - 1
    return toy_game.PENALTY_WEIGHT * (excess**2).mean()

  def step():
    critic.requires_grad_(True)
    for _ in range(toy_game.CRITIC_STEPS):
      critic_optimizer.zero_grad()
      real = sample(batch_size)
      with torch.no_grad():
        fake = generator(torch.randn(batch_size, toy_game.LATENTS))
      cost = critic(fake).mean() - critic(real).mean() + penalty(real, fake)
      cost.backward()
      critic_optimizer.step()

    critic.requires_grad_(False)
    generator_optimizer.zero_grad()
    fake = generator(torch.randn(batch_size, toy_game.LATENTS))
    (-critic(fake).mean()).backward()
    generator_optimizer.step()

  return _make_training(
    step,
    lambda: steps_taken(critic_optimizer) // toy_game.CRITIC_STEPS,
    generator,
    threads,
  )


def wgan_gp_economical(batch_size: int, threads: int) -> Training:
  """Starts WGAN-GP with fewer calls per step and fused Adam.

  It draws and generates the samples of all critic updates at once, and the
  critic evaluates real and fake samples in one pass.
  """
  generator, critic = _perceptron(2), _perceptron(1)
  generator_optimizer = _adam(generator, fused=True)
  critic_optimizer = _adam(critic, fused=True)
  generator_params = tuple(generator.parameters())
  critic_params = tuple(critic.parameters())
  sample = _ring()

  def critic_step(real, fake, points):
    total = critic(points.requires_grad_()).sum()
    (gradient,) = torch.autograd.grad(total, points, create_graph=True)
    penalty = (gradient.norm(dim=1) - 1).square().mean()
    values = critic(torch.cat([real, fake]))
    real_values, fake_values = values.split(batch_size)
    cost = fake_values.mean() - real_values.mean()
    cost += toy_game.PENALTY_WEIGHT * penalty
    gradients = torch.autograd.grad(cost, critic_params)
    apply_gradients(critic_optimizer, critic_params, gradients)

  def step():
    num_real = toy_game.CRITIC_STEPS * batch_size
    real = sample(num_real)
    with torch.no_grad():
      fake = generator(torch.randn(num_real, toy_game.LATENTS))
    points = torch.lerp(fake, real, torch.rand(num_real, 1))
    batches = (x.split(batch_size) for x in (real, fake, points))
    for batch in zip(*batches, strict=True):
      critic_step(*batch)
    fake = generator(torch.randn(batch_size, toy_game.LATENTS))
    gradients = torch.autograd.grad(-critic(fake).mean(), generator_params)
    apply_gradients(generator_optimizer, generator_params, gradients)

  return _make_training(
    step,
    lambda: steps_taken(critic_optimizer) // toy_game.CRITIC_STEPS,
    generator,
    threads,
  )


def wgan_gp_compiled(batch_size: int, threads: int) -> Training:
  """Starts WGAN-GP as one compiled program.

  Raises:
    UnavailableError: if it cannot be compiled here.
  """
  players = {"generator": _perceptron(2), "critic": _perceptron(1)}
  sample = _ring()

  def generate(params):
    latents = torch.randn(batch_size, toy_game.LATENTS)
    return functional_call(players["generator"], params, (latents,))

  def criticize(params, x):
    return functional_call(players["critic"], params, (x,))

  def critic_cost(params, real, fake):
    points = torch.lerp(fake, real, torch.rand(batch_size, 1))
    gradient = torch.func.grad(lambda x: criticize(params, x).sum())(points)
    penalty = (gradient.norm(dim=1) - 1).square().mean()
    values = criticize(params, torch.cat([real, fake]))
    real_values, fake_values = values.split(batch_size)
    cost = fake_values.mean() - real_values.mean()
    return cost + toy_game.PENALTY_WEIGHT * penalty

  def step(state):
    generator, critic = state.params["generator"], state.params["critic"]
    for _ in range(toy_game.CRITIC_STEPS):
      gradients = torch.func.grad(critic_cost)(
        critic, sample(batch_size), generate(generator)
      )
      _apply_adam(state, "critic", gradients)
    gradients = torch.func.grad(
      lambda params: -criticize(critic, generate(params)).mean()
    )(generator)
    _apply_adam(state, "generator", gradients)

  return _compiled(players, step, threads)
