"""The tables of the benchmark suites, written from their kept reports."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

BATCH_SIZE = 64
"""Batch size of the short table."""
RING = "non_saturating"
RING_ROWS = {
  "ring, perceptrons, 1 seed": (RING, "gan_jax"),
  "ring, 8 seeds in one program": (RING, "gan_jax_8_seeds"),
  "ring, 32 seeds in one program": (RING, "gan_jax_32_seeds"),
  "ring with WGAN-GP, 1 seed": ("wgan_gp", "gan_jax"),
  "ring with WGAN-GP, 8 seeds": ("wgan_gp", "gan_jax_8_seeds"),
}
IMAGE_ROWS = {
  "DCGAN, 28 x 28 x 1": ("28x28x1", "gan_jax"),
  "DCGAN, 32 x 32 x 3": ("32x32x3", "gan_jax"),
  "DCGAN, 64 x 64 x 3": ("64x64x3", "gan_jax"),
  "WGAN-GP, residual networks, 32 x 32 x 3": ("wgan_gp 32x32x3", "gan_jax"),
}
"""Rows of the short table: game and implementation, by label."""


class Compared(NamedTuple):
  """A row of the short table.

  Attributes:
    label: what trains.
    steps_per_second: summed over the seeds.
    to_best_pytorch: relative to the fastest loop of PyTorch.
  """

  label: str
  steps_per_second: float
  to_best_pytorch: float


def compare(
  toy: Mapping[str, Any], dcgan: Mapping[str, Any], sweep: Mapping[str, Any]
) -> list[Compared]:
  """Returns the rows of the short table, from the reports of three suites."""
  compared = []
  for kept, rows in ((toy, RING_ROWS), (dcgan, IMAGE_ROWS)):
    for label, (game, name) in rows.items():
      ratios = kept["ratios"][game][str(BATCH_SIZE)]["contestants"][name]
      speed = rate(kept, game, name)
      compared.append(Compared(label, speed, ratios["to_best_pytorch"]))
  seconds = {row["name"]: row["seconds"] for row in sweep["rows"]}
  packed = seconds["gan_jax, packed"]
  fastest = min(
    value for name, value in seconds.items() if name.startswith("pytorch")
  )
  label = f"a sweep of {sweep['trials']} runs of the ring"
  steps = sweep["trials"] * sweep["steps"]
  return [*compared, Compared(label, steps / packed, fastest / packed)]


def rate(kept: Mapping[str, Any], game: str, name: str) -> float:
  """Returns the steps per second of an implementation at batch size 64."""
  (speed,) = (
    row["steps_per_second"]
    for row in kept["rows"]
    if (row["game"], row["name"], row["batch_size"]) == (game, name, BATCH_SIZE)
  )
  return speed


def write_comparison(
  toy: Mapping[str, Any], dcgan: Mapping[str, Any], sweep: Mapping[str, Any]
) -> str:
  """Writes the short table."""
  return markdown(
    ("game", "steps/s of gan_jax", "relative to the fastest PyTorch"),
    [
      (row.label, digits(row.steps_per_second), f"{row.to_best_pytorch:.2f}")
      for row in compare(toy, dcgan, sweep)
    ],
  )


def write_turns(kept: Mapping[str, Any]) -> str:
  """Writes the tables of a suite whose implementations take turns."""
  reference = kept["reference"]
  headers = (
    "implementation",
    "update",
    "seeds",
    "steps/s",
    "to best PyTorch",
    f"to {reference.replace('_', ' ')}",
    "first step, s",
    "restart, s",
    "peak MiB",
  )
  parts = []
  for game, batches in kept["ratios"].items():
    for batch_size, compared in batches.items():
      lines = []
      for row in kept["rows"]:
        if (row["game"], str(row["batch_size"])) != (game, batch_size):
          continue
        ratios = compared["contestants"][row["name"]]
        numbers = (
          row["steps_per_second"],
          ratios["to_best_pytorch"],
          ratios.get(f"to_{reference}"),
          row["first_step_seconds"],
          row["restart_seconds"],
          row["peak_memory_mib"],
        )
        cells = ("-" if each is None else digits(each) for each in numbers)
        lines.append(
          (row["name"], row["update"], str(row["num_seeds"]), *cells)
        )
      parts += [f"`{game}`, batch {batch_size}:", markdown(headers, lines)]
  for entry in kept["missing"]:
    parts.append(
      f"`{entry['name']}` is missing from `{entry['game']}` at batch "
      f"{entry['batch_size']}: {entry['reason']}."
    )
  bounds = [
    (
      f"`{bound['game']}`",
      str(bound["batch_size"]),
      digits(bound["flops_per_step"] / 1e6),
      bound["products"],
      digits(bound["gflops"]),
      digits(bound["steps_per_second"]),
      ", ".join(
        f"{name} {fraction:.0%}" for name, fraction in bound["reached"].items()
      ),
    )
    for bound in kept["bounds"]
  ]
  headers = (
    "game",
    "batch",
    "MFLOP a step",
    "matrices",
    "GFLOP/s",
    "steps/s allowed",
    "reached by",
  )
  parts += ["The speed that the matrix products allow:"]
  return "\n\n".join([*parts, markdown(headers, bounds)])


def write_sweep(kept: Mapping[str, Any]) -> str:
  """Writes the table of the sweep suite."""
  return markdown(
    ("method", "seconds", "speedup", "measured"),
    [
      (
        row["name"],
        digits(row["seconds"]),
        digits(row["speedup"]),
        row["part"] or "all",
      )
      for row in kept["rows"]
    ],
  )


def write_scaling(kept: Mapping[str, Any]) -> str:
  """Writes the table of the scaling suite."""
  headers = (
    "game",
    "parameters",
    "GFLOP a step",
    "state, MB",
    "all-reduce, MB",
    "ms a step",
    "GFLOP/s",
  )
  lines = [
    (
      row["game"],
      f"{row['parameters']:,}",
      digits(row["flops"] / 1e9),
      # The state has each float32 parameter and its two moments of Adam.
      digits(12 * row["parameters"] / 1e6),
      digits(4 * row["parameters"] / 1e6),
      digits(row["step_seconds"] * 1e3),
      digits(row["flops"] / row["step_seconds"] / 1e9),
    )
    for row in kept["rows"]
  ]
  return (
    f"{markdown(headers, lines)}\n\nA product of two 2048 x 2048 matrices runs "
    f"at {digits(kept['product_gflops'])} GFLOP/s."
  )


def write_checkpoints(kept: Mapping[str, Any]) -> str:
  """Writes the table of the checkpoints suite."""
  headers = (
    "training",
    "turns",
    "ms to write one",
    "ms that one costs the training (quartiles)",
    "one a minute costs",
  )
  lines = []
  for row in kept["rows"]:
    low, cost, high = (1e3 * seconds for seconds in row["cost_seconds"])
    lines.append(
      (
        row["game"],
        str(row["turns"]),
        f"{1e3 * row['save_seconds']:.0f}",
        f"{cost:.0f} ({low:.0f} to {high:.0f})",
        f"{cost / 1e3 / 60:.2%}",
      )
    )
  return markdown(headers, lines)


WRITERS: dict[str, Callable[..., str]] = {
  "toy": write_turns,
  "dcgan": write_turns,
  "sweep": write_sweep,
  "scaling": write_scaling,
  "checkpoints": write_checkpoints,
}
"""For each suite of `benchmarks.run`, the function that writes its tables."""


def digits(number: float) -> str:
  """Writes a number with three digits, or all before the point."""
  return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Writes a Markdown table."""
  lines = [headers, ["---"] * len(headers), *rows]
  return "\n".join(f"| {' | '.join(line)} |" for line in lines)
