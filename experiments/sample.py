"""Samples a finished run: `python -m experiments.sample --workdir=runs/...`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from experiments.cli import flags
from experiments.configs.fields import setting
from experiments.configs.hints import suggestion
from experiments.devices import environment
from experiments.errors import RunFolderError, UsageError
from experiments.plots import images as image_plots
from experiments.run_folder import results
from experiments.training import load_run, run_config
from experiments.training.load_run import LoadedRun
from gan_jax.data import images
from gan_jax.types import Array

USAGE = """\
python -m experiments.sample --workdir=DIR --num_samples=N --out=FILE.png|.npz

Draws samples from the generator of a run, or from its average if the run has
one. Images are written as one picture or as an array of bytes, other samples as
an array of numbers. --label chooses the class of a class-conditional
generator."""

_MAX_LISTED = 20
"""Classes that a message lists; of more it lists the first and the last."""
_AT_ONCE = 256
"""Samples per call; a fixed number, so that more samples keep the first."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleOptions:
  """The flags of this command."""

  workdir: str = setting(
    "",
    "run folder to sample from",
    is_path=True,
    heading="Samples",
  )
  num_samples: int = setting(
    64, "number of samples to draw", minimum=1, maximum=1_000_000
  )
  label: str = setting(
    "", "number or name of the class to draw; by default all classes in turn"
  )
  out: str = setting(
    "",
    "file to write: .png for images, or .npz",
    is_path=True,
    heading="Output",
  )
  overwrite: bool = setting(False, "replace an existing file")
  seed: int = setting(
    -1,
    "seed of the run to sample from; -1 is the first",
    minimum=-1,
    heading="Seeds and devices",
  )
  latents_seed: int = setting(
    0, "seed of the latents", minimum=0, maximum=2**32 - 1
  )
  platform: str = setting(
    "auto",
    "platform to compute on; auto is JAX's first choice",
    choices=flags.PLATFORMS,
  )


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  options = flags.read_command_line(argv, SampleOptions, (), USAGE).options
  for name in ("workdir", "out"):
    if not getattr(options, name):
      raise UsageError(f"--{name} is missing")
  out = Path(options.out)
  if out.suffix not in (".png", ".npz"):
    raise UsageError(f"--out={out} must end in .png or .npz")
  if out.exists() and not options.overwrite:
    raise UsageError(f"{out} exists; pass --overwrite")
  if not out.parent.is_dir():
    raise UsageError(f"--out={out}: there is no {out.parent}")
  environment.set_threads(run_config.read_threads(Path(options.workdir)))
  (device,) = environment.choose_devices(options.platform, 1)
  member = load_run.load_run(
    Path(options.workdir), None if options.seed < 0 else options.seed, device
  )
  if member.seed not in member.healthy:
    others = ", ".join(map(str, member.healthy))
    raise RunFolderError(
      f"seed {member.seed} of {options.workdir} failed and has nothing to "
      f"sample; {f'choose --seed from {others}' if others else 'so did all'}"
    )
  labels = _labels(member, options)
  samples = draw(member, options.latents_seed, options.num_samples, labels)
  with results.replacing(out) as partial:
    if out.suffix == ".npz":
      arrays = {"samples": samples}
      if labels is not None:
        arrays["labels"] = np.asarray(labels)
        arrays["class_names"] = np.asarray(member.generator.class_names)
      np.savez_compressed(partial, allow_pickle=False, **arrays)
    elif samples.ndim != 4:
      raise UsageError(
        f"the samples of {member.experiment.name} are not images; give an "
        "--out that ends in .npz"
      )
    else:
      # With 0 columns the mosaic is square.
      num_classes = 0 if options.label else len(member.generator.class_names)
      columns = image_plots.class_columns(num_classes) if num_classes else 0
      page = image_plots.mosaic(samples, columns)
      Image.fromarray(image_plots.coloured(page)).save(partial)
  average = "" if member.state.averages is None else "'s average generator"
  print(
    f"{len(samples):,} samples of seed {member.seed}{average} after "
    f"{int(member.state.step):,} steps are in {out}"
  )
  return 0


def draw(
  member: LoadedRun, latents_seed: int, num_samples: int, labels: Array | None
) -> np.ndarray:
  """Draws n samples: uint8 [n, h, w, c] of images, else float32 [n, ...].

  `labels` are the condition, int32 [n]; None if the game has no classes.
  """
  sample = jax.jit(member.generator.sample, static_argnums=2)
  key = jax.random.key(latents_seed)
  parts = []
  for index, start in enumerate(range(0, num_samples, _AT_ONCE)):
    condition = ()
    if labels is not None:
      chosen = labels[start : start + _AT_ONCE]
      condition = (jnp.pad(chosen, (0, _AT_ONCE - len(chosen))),)
    pass_key = jax.random.fold_in(key, index)
    parts.append(sample(member.state, pass_key, _AT_ONCE, *condition))
  samples = jnp.concatenate(parts)[:num_samples]
  if not jnp.isfinite(samples).all():
    raise RunFolderError(
      f"the generator of seed {member.seed} draws samples that are not finite"
    )
  return np.asarray(images.to_pixels(samples) if samples.ndim == 4 else samples)


def _labels(member: LoadedRun, options: SampleOptions) -> Array | None:
  """Returns the label of every sample, None where there are no classes."""
  names = member.generator.class_names
  if not names:
    if not options.label:
      return None
    raise UsageError(
      f"--label={options.label}: {member.experiment.name} has no classes to "
      "ask for; a run with --condition has"
    )
  if not options.label:
    return jnp.arange(options.num_samples) % len(names)
  numbers = {str(index): index for index in range(len(names))}
  numbers |= {name: index for index, name in enumerate(names)}
  if options.label not in numbers:
    raise UsageError(_unknown_class(options.label, names))
  return jnp.full(options.num_samples, numbers[options.label])


def _unknown_class(label: str, names: Sequence[str]) -> str:
  """Writes that there is no such class, and which there are."""
  classes = [
    name if name == str(number) else f"{number} ({name})"
    for number, name in enumerate(names)
  ]
  if len(classes) > _MAX_LISTED:
    classes[_MAX_LISTED // 2 : -1] = ["..."]
  # A number is not a misspelt one.
  hint = "" if label.isdecimal() else suggestion(label, names)
  return (
    f"--label={label}: there is no such class; {hint}the {len(names)} classes "
    f"are {', '.join(classes)}"
  )


if __name__ == "__main__":
  flags.main(run)
