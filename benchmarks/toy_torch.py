"""PyTorch plays the toy game: as textbooks write it, economically, compiled."""

# PyTorch is an extra, which need not be there where types are checked.
# pyright: reportMissingImports=false

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from benchmarks import toy_game
from benchmarks.timing import Training, UnavailableError

VERSION = str(torch.__version__)


def _perceptron(features: int) -> nn.Sequential:
  """Makes a player."""
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
  """Returns the data: n -> [n, 2]."""
  angles = torch.arange(toy_game.NUM_MODES) * (2 * math.pi / toy_game.NUM_MODES)
  modes = toy_game.RADIUS * torch.stack([angles.cos(), angles.sin()], dim=-1)

  def sample(n):
    noise = toy_game.STDDEV * torch.randn(n, 2)
    return modes[torch.randint(len(modes), (n,))] + noise

  return sample


def _adam(player: nn.Module, fused: bool) -> torch.optim.Adam:
  return torch.optim.Adam(
    player.parameters(),
    lr=toy_game.LEARNING_RATE,
    betas=(toy_game.BETA1, toy_game.BETA2),
    fused=fused,
  )


def _training(
  step: Callable[[], object],
  num_steps: Callable[[], int],
  generate: Callable[[Tensor], Tensor],
  threads: int,
) -> Training:
  """Makes a training of a step that changes its state in place."""

  def take(count):
    # One setting for the whole process, which other contestants change.
    torch.set_num_threads(threads)
    for _ in range(count):
      step()

  @torch.no_grad()
  def samples():
    latents = torch.randn(toy_game.NUM_GENERATED, toy_game.LATENTS)
    return generate(latents).numpy()

  return Training(take, num_steps, samples)


def _count(optimizer: torch.optim.Adam) -> int:
  """Returns the steps that an optimizer has taken."""
  counts = [int(state["step"]) for state in optimizer.state.values()]
  return max(counts, default=0)


def textbook(batch_size: int, threads: int) -> Training:
  """Starts the alternating loop of the tutorials.

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

  return _training(
    step, lambda: _count(discriminator_optimizer), generator, threads
  )


def _costs(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
  """Returns J_G and J_D, non-saturating."""
  return (
    functional.softplus(-fake_logits).mean(),
    functional.softplus(-real_logits).mean()
    + functional.softplus(fake_logits).mean(),
  )


def simultaneous(batch_size: int, threads: int) -> Training:
  """Starts the simultaneous update with one pass through D and fused Adam."""
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
    for param, gradient in zip(
      generator_params + discriminator_params,
      generator_gradients + discriminator_gradients,
      strict=True,
    ):
      param.grad = gradient
    generator_optimizer.step()
    discriminator_optimizer.step()

  return _training(
    step, lambda: _count(discriminator_optimizer), generator, threads
  )


def compiled(batch_size: int, threads: int) -> Training:
  """Starts the simultaneous update as one compiled program.

  Sampling, both gradients and both updates of Adam are one graph, called from
  Python once a step through a C++ wrapper.

  Raises:
    UnavailableError: if the graph cannot be compiled here, for want of a C++
      compiler for one.
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

  def adam(params, gradients, means, squares, count):
    for name, gradient in gradients.items():
      means[name].lerp_(gradient, 1 - toy_game.BETA1)
      squares[name].lerp_(gradient.square(), 1 - toy_game.BETA2)
      mean = means[name] / (1 - toy_game.BETA1**count)
      square = squares[name] / (1 - toy_game.BETA2**count)
      params[name].sub_(toy_game.LEARNING_RATE * mean / (square.sqrt() + 1e-8))

  def step(count, params, means, squares):
    count += 1
    real = sample(batch_size)
    latents = torch.randn(batch_size, toy_game.LATENTS)
    _, pullback = torch.func.vjp(
      lambda own, other: costs(own, other, real, latents),
      params["generator"],
      params["discriminator"],
    )
    gradients = {
      "generator": pullback((one, zero), retain_graph=True)[0],
      "discriminator": pullback((zero, one))[1],
    }
    for name in players:
      adam(params[name], gradients[name], means[name], squares[name], count)

  def initial_state():
    params = {
      name: {key: p.detach().clone() for key, p in player.named_parameters()}
      for name, player in players.items()
    }
    zeros = [
      {
        name: {key: torch.zeros_like(p) for key, p in own.items()}
        for name, own in params.items()
      }
      for _ in range(2)
    ]
    return torch.zeros(()), params, *zeros

  torch.set_num_threads(threads)
  compiled_step = torch.compile(
    torch.no_grad()(step),
    fullgraph=True,
    dynamic=False,
    options={"cpp_wrapper": True},
  )
  try:
    # On a state to throw away: compilation takes a step.
    compiled_step(*initial_state())
  except torch._dynamo.exc.BackendCompilerFailed as error:
    # What follows the first paragraph is advice on debugging PyTorch.
    reason = " ".join(str(error).split("\n\n")[0].split())
    raise UnavailableError(reason) from error
  state = initial_state()
  count, params, _, _ = state
  return _training(
    lambda: compiled_step(*state),
    lambda: int(count),
    lambda latents: functional_call(
      players["generator"], params["generator"], (latents,)
    ),
    threads,
  )
