"""Makes optimizers and training loops in PyTorch, for all of its games."""

# PyTorch is an optional dependency and may be missing when types are checked.
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
  """Makes the optimizer of a player."""
  return torch.optim.Adam(
    player.parameters(), lr=learning_rate, betas=betas, fused=fused
  )


def steps_taken(optimizer: torch.optim.Adam) -> int:
  """Returns how many steps the optimizer has taken."""
  counts = [int(state["step"]) for state in optimizer.state.values()]
  return max(counts, default=0)


def make_training(
  step: Callable[[], object],
  num_steps: Callable[[], int],
  generate: Callable[[], Tensor],
  threads: int,
) -> Training:
  """Makes a training of a step that changes its state in place.

  Args:
    step: runs one step.
    num_steps: () -> the number of steps so far.
    generate: () -> [n, ...] samples.
    threads: number of threads of PyTorch on a CPU.
  """

  def take_steps(count):
    # The number belongs to the process, and other implementations change it.
    torch.set_num_threads(threads)
    for _ in range(count):
      step()
    if torch.cuda.is_available():
      torch.cuda.synchronize()

  @torch.no_grad()
  def generate_numpy():
    return generate().cpu().numpy()

  return Training(take_steps, num_steps, generate_numpy)


def apply_gradients(
  optimizer: torch.optim.Adam,
  params: Sequence[Tensor],
  gradients: Sequence[Tensor],
) -> None:
  """Updates a player's parameters from these gradients."""
  for param, gradient in zip(params, gradients, strict=True):
    param.grad = gradient
  optimizer.step()
