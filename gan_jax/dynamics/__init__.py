"""Jacobians and Hessians of a game at a point, to analyse its stability."""

from gan_jax.dynamics.stability import (
  LocalNash,
  field_jacobian,
  local_nash,
  step_jacobian,
)

__all__ = ["LocalNash", "field_jacobian", "local_nash", "step_jacobian"]
