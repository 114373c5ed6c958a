"""Engines; one line here makes one a value of `--engine`."""

from collections.abc import Mapping

from experiments.sweeps.engines import local, ray, slurm
from experiments.sweeps.engines.engine import Engine

ENGINES: Mapping[str, Engine] = {
  "local": local.ENGINE,
  "ray": ray.ENGINE,
  "slurm": slurm.ENGINE,
}
