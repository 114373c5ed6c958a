"""Training of many seeds at once: the problem, the loop and its callbacks."""

from gan_jax.training.logs import (
  Failure,
  Log,
  list_failures,
  stack_logs,
)
from gan_jax.training.loop import (
  MAX_DRAWN_MEMBERS,
  Callback,
  Checkpoint,
  Result,
  Variation,
  train,
)
from gan_jax.training.population import (
  NEVER,
  Keys,
  Population,
  Progress,
  advance,
  init,
  member_keys,
  population,
  structure,
  varied_population,
)
from gan_jax.training.problems import (
  Problem,
  problem,
)
from gan_jax.training.schedule import (
  MAX_FRAMES,
  Schedule,
)

__all__ = [
  "MAX_DRAWN_MEMBERS",
  "MAX_FRAMES",
  "NEVER",
  "Callback",
  "Checkpoint",
  "Failure",
  "Keys",
  "Log",
  "Population",
  "Problem",
  "Progress",
  "Result",
  "Schedule",
  "Variation",
  "advance",
  "init",
  "list_failures",
  "member_keys",
  "population",
  "problem",
  "stack_logs",
  "structure",
  "train",
  "varied_population",
]
