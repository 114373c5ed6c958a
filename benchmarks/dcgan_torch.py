"""PyTorch plays DCGAN's game: as its example does, and economically."""

# PyTorch is an extra, which need not be there where types are checked.
# pyright: reportMissingImports=false

import itertools
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import dcgan_game
from benchmarks.dcgan_game import Players, Setting
from benchmarks.timing import Training
from benchmarks.torch_training import adam, descend, steps_taken, training


class Arrangement(NamedTuple):
  """How a game is laid out on the machine.

  Attributes:
    device: "cpu" or "cuda".
    threads: that a CPU has for it.
    channels_last: whether a pixel's channels are neighbours in memory, or the
      pixels of a channel.
    compiled: whether PyTorch's compiler has the networks.
  """

  device: str
  threads: int
  channels_last: bool = False
  compiled: bool = False

  def title(self) -> str:
    """Names it in the report."""
    memory_format = "channels_last" if self.channels_last else "contiguous"
    return f"compiled {memory_format}" if self.compiled else memory_format

  def memory_format(self) -> torch.memory_format:
    return (
      torch.channels_last if self.channels_last else torch.contiguous_format
    )


def generator(setting: Setting) -> nn.Sequential:
  """Makes DCGAN's generator: latents [n, k] -> [n, channels, size, size]."""
  base, widths = setting.base(), setting.widths()[::-1]
  # The example has a transposed convolution of one pixel, which is this product
  # and a few times slower on a CPU.
  layers = [
    nn.Linear(dcgan_game.LATENTS, base**2 * widths[0], bias=False),
    nn.Unflatten(1, (widths[0], base, base)),
  ]
  for width, features in itertools.pairwise(widths):
    layers += [
      nn.BatchNorm2d(width),
      nn.ReLU(inplace=True),
      nn.ConvTranspose2d(width, features, 4, 2, 1, bias=False),
    ]
  return _initialized(nn.Sequential(*layers, nn.Tanh()))


def discriminator(setting: Setting) -> nn.Sequential:
  """Makes DCGAN's discriminator: [n, channels, size, size] -> logits [n, 1]."""
  layers, widths = [], setting.widths()
  for index, (width, features) in enumerate(itertools.pairwise(widths)):
    layers.append(nn.Conv2d(width, features, 4, 2, 1, bias=False))
    if index:
      layers.append(nn.BatchNorm2d(features))
    layers.append(nn.LeakyReLU(dcgan_game.SLOPE, inplace=True))
  smallest = setting.base() ** 2 * widths[-1]
  return _initialized(
    nn.Sequential(*layers, nn.Flatten(), nn.Linear(smallest, 1, bias=False))
  )


def _initialized(player: nn.Sequential) -> nn.Sequential:
  for layer in player:
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
      nn.init.normal_(layer.weight, std=dcgan_game.STDDEV)
  return player


def num_params(players: Players[nn.Module]) -> Players[int]:
  """Counts each player's parameters."""
  return Players(*(sum(p.numel() for p in own.parameters()) for own in players))


def players(setting: Setting) -> Players[nn.Module]:
  """Makes DCGAN's two."""
  return Players(generator(setting), discriminator(setting))


class Arena:
  """Two players laid out on the machine, with their optimizers and data.

  Attributes:
    params: of each player.
    optimizers: of each player.
    real: [n, channels, size, size], the data.
    generate: () -> [n, channels, size, size], from new latents.
    judge: [n, channels, size, size] -> logits [n, 1].
  """

  def __init__(
    self,
    players: Players[nn.Module],
    batch_size: int,
    setting: Setting,
    arrangement: Arrangement,
    fused: bool,
  ):
    device, memory_format = arrangement.device, arrangement.memory_format()
    for player in players:
      player.to(device=device, memory_format=memory_format)
    self._threads = arrangement.threads
    betas = dcgan_game.BETA1, dcgan_game.BETA2
    self.params = Players(*(tuple(own.parameters()) for own in players))
    self.optimizers = Players(
      *(adam(own, dcgan_game.LEARNING_RATE, betas, fused) for own in players)
    )
    pixels = torch.from_numpy(dcgan_game.images(setting, batch_size))
    self.real = pixels.permute(0, 3, 1, 2).to(device)
    self.real = self.real.contiguous(memory_format=memory_format)
    generate, judge = (
      torch.compile(own) if arrangement.compiled else own for own in players
    )
    precision = torch.autocast(
      device, torch.bfloat16, enabled=setting.dtype == "bfloat16"
    )

    @precision
    def generate_from(latents):
      return generate(latents).float()

    @precision
    def judge_in_float32(x):
      return judge(x).float()

    def latents(n):
      return torch.randn(n, dcgan_game.LATENTS, device=device)

    self.generate = lambda: generate_from(latents(batch_size))
    self.judge = judge_in_float32
    self._samples = lambda: generate_from(latents(dcgan_game.NUM_GENERATED))

  def training(self, step: Callable[[], object]) -> Training:
    """Makes a training of a step that changes the players in place."""
    return training(
      step,
      lambda: steps_taken(self.optimizers.discriminator),
      self._samples,
      self._threads,
    )


def textbook(
  batch_size: int, setting: Setting, arrangement: Arrangement
) -> Training:
  """Starts the alternating loop of PyTorch's example.

  References:
    PyTorch examples, "dcgan/main.py", the training loop.
  """
  arena = Arena(players(setting), batch_size, setting, arrangement, fused=False)
  optimizers, judge = arena.optimizers, arena.judge
  cost = nn.BCEWithLogitsLoss()
  is_real = torch.ones(batch_size, 1, device=arrangement.device)
  is_fake = torch.zeros(batch_size, 1, device=arrangement.device)

  def step():
    optimizers.discriminator.zero_grad()
    cost(judge(arena.real), is_real).backward()
    fake = arena.generate()
    cost(judge(fake.detach()), is_fake).backward()
    optimizers.discriminator.step()

    optimizers.generator.zero_grad()
    cost(judge(fake), is_real).backward()
    optimizers.generator.step()

  return arena.training(step)


def gradients(
  params: Players[tuple[Tensor, ...]], real_logits: Tensor, fake_logits: Tensor
) -> Players[tuple[Tensor, ...]]:
  """Differentiates the non-saturating costs, by one forward pass."""
  generator_cost = functional.softplus(-fake_logits).mean()
  discriminator_cost = functional.softplus(-real_logits).mean()
  discriminator_cost += functional.softplus(fake_logits).mean()
  of_discriminator = torch.autograd.grad(
    discriminator_cost, params.discriminator, retain_graph=True
  )
  of_generator = torch.autograd.grad(generator_cost, params.generator)
  return Players(of_generator, of_discriminator)


def simultaneous(
  batch_size: int, setting: Setting, arrangement: Arrangement
) -> Training:
  """Starts the simultaneous update, which passes each player forward once."""
  arena = Arena(players(setting), batch_size, setting, arrangement, fused=True)

  def step():
    fake = arena.generate()
    moves = gradients(arena.params, arena.judge(arena.real), arena.judge(fake))
    for own in zip(arena.optimizers, arena.params, moves, strict=True):
      descend(*own)

  return arena.training(step)
