"""What all of PyTorch's contestants share: Adam, and a training of a step."""

# PyTorch is an extra, which need not be there where types are checked.
# pyright: reportMissingImports=false

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.timing import Training


def adam(
  player: nn.Module,
  learning_rate: float,
  betas: tuple[float, float],
  fused: bool,
) -> torch.optim.Adam:
  """Makes a player's optimizer."""
  return torch.optim.Adam(
    player.parameters(), lr=learning_rate, betas=betas, fused=fused
  )


def steps_taken(optimizer: torch.optim.Adam) -> int:
  """Returns the steps that an optimizer has taken."""
  counts = [int(state["step"]) for state in optimizer.state.values()]
  return max(counts, default=0)


def training(
  step: Callable[[], object],
  num_steps: Callable[[], int],
  generate: Callable[[], Tensor],
  threads: int,
) -> Training:
  """Makes a training of a step that changes its state in place.

  Args:
    step: takes a step.
    num_steps: () -> the steps taken.
    generate: () -> [n, ...] samples.
    threads: that PyTorch may use on a CPU.

  Returns:
    The training.
  """

  def take(count):
    # One setting for the whole process, which other contestants change.
    torch.set_num_threads(threads)
    for _ in range(count):
      step()
    if torch.cuda.is_available():
      torch.cuda.synchronize()

  @torch.no_grad()
  def samples():
    return generate().cpu().numpy()

  return Training(take, num_steps, samples)


def descend(
  optimizer: torch.optim.Adam,
  params: Sequence[Tensor],
  gradients: Sequence[Tensor],
) -> None:
  """Takes a player's step along these gradients of its parameters."""
  for param, gradient in zip(params, gradients, strict=True):
    param.grad = gradient
  optimizer.step()
