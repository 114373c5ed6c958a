"""Trains DCGAN in PyTorch: the loop of its example, and a simultaneous one."""

# PyTorch is an optional dependency and may be missing when types are checked.
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
from benchmarks.torch_training import (
  adam,
  apply_gradients,
  make_training,
  steps_taken,
)


class TorchOptions(NamedTuple):
  """How PyTorch runs a game.

  Attributes:
    device: "cpu" or "cuda".
    threads: number of threads on a CPU.
    channels_last: whether images are in the memory format NHWC, not NCHW.
    compiled: whether `torch.compile` compiles the networks.
  """

  device: str
  threads: int
  channels_last: bool = False
  compiled: bool = False

  def title(self) -> str:
    """Returns the name of the variant in the report."""
    memory_format = "channels_last" if self.channels_last else "contiguous"
    return f"compiled {memory_format}" if self.compiled else memory_format

  def memory_format(self) -> torch.memory_format:
    return (
      torch.channels_last if self.channels_last else torch.contiguous_format
    )


def generator(setting: Setting) -> nn.Sequential:
  """Makes DCGAN's generator: latents [n, k] -> [n, channels, size, size]."""
  base, widths = setting.base(), setting.widths()[::-1]
  # The example has a transposed convolution of one pixel instead. It computes
  # the same and is a few times slower on a CPU.
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
  return Players(*(sum(p.numel() for p in net.parameters()) for net in players))


def players(setting: Setting) -> Players[nn.Module]:
  """Makes the networks of DCGAN."""
  return Players(generator(setting), discriminator(setting))


class TrainingSetup:
  """The players on their device, with their optimizers and data.

  Attributes:
    params: parameters of each player.
    optimizers: optimizer of each player.
    real: [n, channels, size, size], the data.
    generate: () -> [n, channels, size, size], samples from new latents.
    discriminate: [n, channels, size, size] -> logits [n, 1].
  """

  def __init__(
    self,
    players: Players[nn.Module],
    batch_size: int,
    setting: Setting,
    options: TorchOptions,
    fused: bool,
  ):
    device, memory_format = options.device, options.memory_format()
    for player in players:
      # PyTorch's types leave this argument out.
      player.to(device=device, memory_format=memory_format)  # pyright: ignore[reportCallIssue]
    self._threads = options.threads
    betas = dcgan_game.BETA1, dcgan_game.BETA2
    self.params: Players[tuple[Tensor, ...]] = Players(
      *(tuple(player.parameters()) for player in players)
    )
    self.optimizers = Players(
      *(
        adam(player, dcgan_game.LEARNING_RATE, betas, fused)
        for player in players
      )
    )
    pixels = torch.from_numpy(dcgan_game.images(setting, batch_size))
    self.real = pixels.permute(0, 3, 1, 2).to(device)
    self.real = self.real.contiguous(memory_format=memory_format)
    generate, discriminate = (
      torch.compile(player) if options.compiled else player
      for player in players
    )
    precision = torch.autocast(
      device, torch.bfloat16, enabled=setting.dtype == "bfloat16"
    )

    @precision
    def generate_from(latents):
      return generate(latents).float()

    @precision
    def discriminate_in_float32(x):
      return discriminate(x).float()

    def latents(n):
      return torch.randn(n, dcgan_game.LATENTS, device=device)

    self.generate = lambda: generate_from(latents(batch_size))
    self.discriminate = discriminate_in_float32
    self._generate_samples = lambda: generate_from(
      latents(dcgan_game.NUM_GENERATED)
    )

  def make_training(self, step: Callable[[], object]) -> Training:
    """Makes a training whose step updates the players in place."""
    return make_training(
      step,
      lambda: steps_taken(self.optimizers.discriminator),
      self._generate_samples,
      self._threads,
    )


def textbook(
  batch_size: int, setting: Setting, options: TorchOptions
) -> Training:
  """Starts the alternating loop of PyTorch's example.

  References:
    PyTorch examples, "dcgan/main.py", the training loop.
  """
  setup = TrainingSetup(
    players(setting), batch_size, setting, options, fused=False
  )
  optimizers, discriminate = setup.optimizers, setup.discriminate
  cost = nn.BCEWithLogitsLoss()
  is_real = torch.ones(batch_size, 1, device=options.device)
  is_fake = torch.zeros(batch_size, 1, device=options.device)

  def step():
    optimizers.discriminator.zero_grad()
    cost(discriminate(setup.real), is_real).backward()
    fake = setup.generate()
    cost(discriminate(fake.detach()), is_fake).backward()
    optimizers.discriminator.step()

    optimizers.generator.zero_grad()
    cost(discriminate(fake), is_real).backward()
    optimizers.generator.step()

  return setup.make_training(step)


def gradients(
  params: Players[tuple[Tensor, ...]], real_logits: Tensor, fake_logits: Tensor
) -> Players[tuple[Tensor, ...]]:
  """Returns the gradients of the non-saturating costs of both players."""
  generator_cost = functional.softplus(-fake_logits).mean()
  discriminator_cost = functional.softplus(-real_logits).mean()
  discriminator_cost += functional.softplus(fake_logits).mean()
  discriminator_gradients = torch.autograd.grad(
    discriminator_cost, params.discriminator, retain_graph=True
  )
  generator_gradients = torch.autograd.grad(generator_cost, params.generator)
  return Players(generator_gradients, discriminator_gradients)


def simultaneous(
  batch_size: int, setting: Setting, options: TorchOptions
) -> Training:
  """Starts simultaneous updates with one forward pass of the generator."""
  setup = TrainingSetup(
    players(setting), batch_size, setting, options, fused=True
  )

  def step():
    fake = setup.generate()
    updates = gradients(
      setup.params, setup.discriminate(setup.real), setup.discriminate(fake)
    )
    for player in zip(setup.optimizers, setup.params, updates, strict=True):
      apply_gradients(*player)

  return setup.make_training(step)
