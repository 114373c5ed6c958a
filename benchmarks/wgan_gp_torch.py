"""Trains WGAN-GP on images in PyTorch, alternating or simultaneously."""

# PyTorch is an optional dependency and may be missing when types are checked.
# pyright: reportMissingImports=false

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks import dcgan_game
from benchmarks.dcgan_game import Players, Setting
from benchmarks.dcgan_torch import TorchOptions, TrainingSetup
from benchmarks.timing import Training
from benchmarks.torch_training import apply_gradients


class GeneratorBlock(nn.Module):
  """A residual block that doubles the side of its maps."""

  def __init__(self, width: int):
    super().__init__()
    self.residual = nn.Sequential(
      nn.BatchNorm2d(width),
      nn.ReLU(),
      nn.Upsample(scale_factor=2),
      nn.Conv2d(width, width, 3, padding=1),
      nn.BatchNorm2d(width),
      nn.ReLU(inplace=True),
      nn.Conv2d(width, width, 3, padding=1),
    )
    # Convolving before upsampling gives the same result for a quarter of the
    # cost.
    self.shortcut = nn.Sequential(
      nn.Conv2d(width, width, 1), nn.Upsample(scale_factor=2)
    )

  def forward(self, maps: Tensor) -> Tensor:
    return self.residual(maps) + self.shortcut(maps)


class DiscriminatorBlock(nn.Module):
  """A residual block that halves the side of its maps if `halves`."""

  def __init__(self, inputs: int, width: int, halves: bool, is_first: bool):
    super().__init__()
    self.residual = nn.Sequential(
      *([] if is_first else [nn.ReLU()]),
      nn.Conv2d(inputs, width, 3, padding=1),
      nn.ReLU(inplace=True),
      nn.Conv2d(width, width, 3, padding=1),
      *([nn.AvgPool2d(2)] if halves else []),
    )
    self.shortcut = nn.Identity()
    if halves:
      # Convolving after pooling costs a quarter, as above.
      self.shortcut = nn.Sequential(
        nn.AvgPool2d(2), nn.Conv2d(inputs, width, 1)
      )

  def forward(self, maps: Tensor) -> Tensor:
    return self.residual(maps) + self.shortcut(maps)


class Sum(nn.Module):
  """Sums maps [n, c, h, w] over positions."""

  def forward(self, maps: Tensor) -> Tensor:
    return maps.sum((2, 3))


def generator(setting: Setting) -> nn.Sequential:
  """Makes the generator: latents [n, k] -> [n, channels, size, size]."""
  base, width = setting.base(), setting.filters
  return nn.Sequential(
    nn.Linear(dcgan_game.LATENTS, base**2 * width),
    nn.Unflatten(1, (width, base, base)),
    *(GeneratorBlock(width) for _ in range(setting.depth)),
    nn.BatchNorm2d(width),
    nn.ReLU(inplace=True),
    nn.Conv2d(width, setting.channels, 3, padding=1),
    nn.Tanh(),
  )


def discriminator(setting: Setting) -> nn.Sequential:
  """Makes the critic: images [n, channels, size, size] -> values [n, 1]."""
  width, depth = setting.filters, dcgan_game.critic_depth(setting)
  return nn.Sequential(
    *(
      DiscriminatorBlock(
        width if index else setting.channels,
        width,
        halves=index < depth,
        is_first=index == 0,
      )
      for index in range(depth + dcgan_game.PLAIN_BLOCKS)
    ),
    nn.ReLU(inplace=True),
    Sum(),
    nn.Linear(width, 1, bias=False),
  )


def players(setting: Setting) -> Players[nn.Module]:
  """Makes the residual networks, with Glorot weights and zero biases."""
  networks: Players[nn.Module] = Players(
    generator(setting), discriminator(setting)
  )
  for player in networks:
    for layer in player.modules():
      if isinstance(layer, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
          nn.init.zeros_(layer.bias)
  return networks


def penalty(
  critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor
) -> Tensor:
  """Returns the gradient penalty between real and fake images [n, c, h, w]."""
  share = torch.rand(len(real), 1, 1, 1, device=real.device)
  points = torch.lerp(fake, real, share).requires_grad_()
  values = critic(points)
  (slopes,) = torch.autograd.grad(
    values, points, torch.ones_like(values), create_graph=True
  )
  excess = slopes.flatten(1).norm(2, dim=1) - 1
  return dcgan_game.PENALTY_WEIGHT * excess.square().mean()


def textbook(
  batch_size: int, setting: Setting, options: TorchOptions
) -> Training:
  """Starts the authors' loop, with one update of each player per step.

  References:
    Gulrajani et al., Improved Training of Wasserstein GANs, arXiv 1704.00028,
      algorithm 1.
  """
  setup = TrainingSetup(
    players(setting), batch_size, setting, options, fused=False
  )
  optimizers, critic, real = setup.optimizers, setup.discriminate, setup.real

  def step():
    for param in setup.params.discriminator:
      param.requires_grad_(True)
    optimizers.discriminator.zero_grad()
    with torch.no_grad():
      fake = setup.generate()
    cost = critic(fake).mean() - critic(real).mean()
    (cost + penalty(critic, real, fake)).backward()
    optimizers.discriminator.step()

    for param in setup.params.discriminator:
      param.requires_grad_(False)
    optimizers.generator.zero_grad()
    (-critic(setup.generate()).mean()).backward()
    optimizers.generator.step()

  return setup.make_training(step)


def gradients(
  params: Players[tuple[Tensor, ...]],
  critic: Callable[[Tensor], Tensor],
  real: Tensor,
  fake: Tensor,
) -> Players[tuple[Tensor, ...]]:
  """Returns the gradients of both costs.

  The critic evaluates real and fake images in one pass, and the points of the
  penalty in a second.
  """
  values = critic(torch.cat([real, fake]))
  real_values, fake_values = values.split(len(real))
  cost = fake_values.mean() - real_values.mean()
  cost += penalty(critic, real, fake.detach())
  critic_gradients = torch.autograd.grad(
    cost, params.discriminator, retain_graph=True
  )
  generator_gradients = torch.autograd.grad(
    -fake_values.mean(), params.generator
  )
  return Players(generator_gradients, critic_gradients)


def simultaneous(
  batch_size: int, setting: Setting, options: TorchOptions
) -> Training:
  """Starts simultaneous updates with one forward pass of the generator."""
  setup = TrainingSetup(
    players(setting), batch_size, setting, options, fused=True
  )

  def step():
    fake = setup.generate()
    updates = gradients(setup.params, setup.discriminate, setup.real, fake)
    for player in zip(setup.optimizers, setup.params, updates, strict=True):
      apply_gradients(*player)

  return setup.make_training(step)
