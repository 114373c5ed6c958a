"""PyTorch plays WGAN-GP on images: as its authors do, and economically."""

# PyTorch is an extra, which need not be there where types are checked.
# pyright: reportMissingImports=false

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks import dcgan_game
from benchmarks.dcgan_game import Players, Setting
from benchmarks.dcgan_torch import Arena, Arrangement
from benchmarks.timing import Training
from benchmarks.torch_training import descend


class GeneratorBlock(nn.Module):
  """A residual block that doubles its maps."""

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
    # Before the doubling, it comes to the same and costs a quarter.
    self.shortcut = nn.Sequential(
      nn.Conv2d(width, width, 1), nn.Upsample(scale_factor=2)
    )

  def forward(self, maps: Tensor) -> Tensor:
    return self.residual(maps) + self.shortcut(maps)


class DiscriminatorBlock(nn.Module):
  """A residual block that halves its maps, or keeps them."""

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
      # After the halving, as above.
      self.shortcut = nn.Sequential(
        nn.AvgPool2d(2), nn.Conv2d(inputs, width, 1)
      )

  def forward(self, maps: Tensor) -> Tensor:
    return self.residual(maps) + self.shortcut(maps)


class Sum(nn.Module):
  """Sums maps [n, c, h, w] over places."""

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
  """Makes the two residual networks, with biases of 0."""
  made = Players(generator(setting), discriminator(setting))
  for player in made:
    for layer in player.modules():
      if isinstance(layer, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
          nn.init.zeros_(layer.bias)
  return made


def penalty(
  judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor
) -> Tensor:
  """Returns the gradient penalty between samples [n, c, h, w] and data."""
  share = torch.rand(len(real), 1, 1, 1, device=real.device)
  points = torch.lerp(fake, real, share).requires_grad_()
  values = judge(points)
  (slopes,) = torch.autograd.grad(
    values, points, torch.ones_like(values), create_graph=True
  )
  excess = slopes.flatten(1).norm(2, dim=1) - 1
  return dcgan_game.PENALTY_WEIGHT * excess.square().mean()


def textbook(
  batch_size: int, setting: Setting, arrangement: Arrangement
) -> Training:
  """Starts the loop of the critic with a gradient penalty, of one step each.

  References:
    Gulrajani et al., Improved Training of Wasserstein GANs, arXiv 1704.00028,
      algorithm 1.
  """
  arena = Arena(players(setting), batch_size, setting, arrangement, fused=False)
  optimizers, judge, real = arena.optimizers, arena.judge, arena.real

  def step():
    for param in arena.params.discriminator:
      param.requires_grad_(True)
    optimizers.discriminator.zero_grad()
    with torch.no_grad():
      fake = arena.generate()
    cost = judge(fake).mean() - judge(real).mean()
    (cost + penalty(judge, real, fake)).backward()
    optimizers.discriminator.step()

    for param in arena.params.discriminator:
      param.requires_grad_(False)
    optimizers.generator.zero_grad()
    (-judge(arena.generate()).mean()).backward()
    optimizers.generator.step()

  return arena.training(step)


def gradients(
  params: Players[tuple[Tensor, ...]],
  judge: Callable[[Tensor], Tensor],
  real: Tensor,
  fake: Tensor,
) -> Players[tuple[Tensor, ...]]:
  """Differentiates both costs, by one pass forward and one for the penalty."""
  values = judge(torch.cat([real, fake]))
  real_values, fake_values = values.split(len(real))
  cost = fake_values.mean() - real_values.mean()
  cost += penalty(judge, real, fake.detach())
  of_discriminator = torch.autograd.grad(
    cost, params.discriminator, retain_graph=True
  )
  of_generator = torch.autograd.grad(-fake_values.mean(), params.generator)
  return Players(of_generator, of_discriminator)


def simultaneous(
  batch_size: int, setting: Setting, arrangement: Arrangement
) -> Training:
  """Starts the simultaneous update, which passes the generator forward once."""
  arena = Arena(players(setting), batch_size, setting, arrangement, fused=True)

  def step():
    fake = arena.generate()
    moves = gradients(arena.params, arena.judge, arena.real, fake)
    for own in zip(arena.optimizers, arena.params, moves, strict=True):
      descend(*own)

  return arena.training(step)
