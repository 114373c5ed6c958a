"""Makes the pictures of these pages: `python docs/pictures.py --runs=DIR`.

It trains the runs that are missing, draws, reduces every picture to a small
palette, and records in benchmarks/results/pictures.json how it was made. With
names, such as `ring strip`, it makes only these pictures. The runs of images
need data: the folders `mnist` and `fashion_mnist` with IDX files and the zip
`cifar10_jpeg.zip` in `--data`. The pictures of speeds show the kept
measurements of `python -m benchmarks.results`. A picture that cannot be made
stays as it is.
"""

import argparse
import datetime
import functools
import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks import result_tables, speed_tables
from experiments.configs import image_settings
from experiments.configs.image_settings import DCGANSettings
from experiments.datasets import image_datasets
from experiments.devices import environment
from experiments.errors import UsageError
from experiments.plots import images as image_plots
from experiments.run_folder import results
from experiments.run_folder.results import Results

FOLDER = Path(__file__).parent
KEPT = FOLDER.parent / "benchmarks" / "results"
DPI = 100
BLUE, ORANGE, GREY = "#1F6FA8", "#D9822B", "#A8A8A8"
NUM_NEIGHBOURS = 8
STOPS = (100, 250)
"""Steps after which a run is stopped and resumed."""
SHOWN_STEPS = 1200
"""Steps to which curves of metrics are drawn."""

NARROW = "--experiment=normal --input_mean=3 --input_stddev=2 --num_seeds=4"
ROUNDS = (
  "--experiment=ring --num_seeds=2 --loss=minimax --update=alternating "
  "--discriminator_steps={} --generator_steps={} "
  "--generator_learning_rate=2e-3 --discriminator_learning_rate=2e-3 "
  "--generator_activation=tanh --discriminator_activation=tanh "
  "--generator_average=0 --steps=500"
)
TOYS = {
  "balanced": ROUNDS.format(5, 5),
  "collapsed": ROUNDS.format(1, 25),
  "saturated": ROUNDS.format(25, 1),
  "settles": NARROW,
  "circles": f"{NARROW} --loss=wasserstein",
  "uninterrupted": "--experiment=normal --steps=400",
}
"""Flags of the runs, by name; reading_a_run.md has the same commands."""
SHORT = "--steps=3000 --evaluate_every=1000 --evaluation_samples=1000"
DIGITS = f"--experiment=dcgan_mnist --data_dir={{data}}/mnist {SHORT}"
IMAGES = {
  "digits": DIGITS,
  "memorised": f"{DIGITS} --training_images=16",
}
TABLES = {
  row.name: " ".join(
    (
      *row.flags,
      f"--num_seeds={table.num_seeds}",
      *([f"--data_dir={{data}}/{row.data}"] if row.data else []),
    )
  )
  for table in result_tables.TABLES.values()
  for row in table.rows
}
"""The runs of the tables, whose samples are shown as well."""
RUNS = {**TOYS, **IMAGES, **TABLES}
STRIP = {
  "ring": "ring",
  "digits": "dcgan_mnist",
  "garments": "dcgan_fashion_mnist",
  "faces": "dcgan_faces",
  "photographs": "dcgan_cifar10-dataset=folder-steps=4000",
}
"""The runs of the strip of pictures, by their titles."""
LITERATURE = (
  *("fgan_table", "wgan_fig2", "steps_ratio", "habr_fig15"),
  *("loss_zoo", "super_resolution", "colouring", "edges_to_image"),
  *("inpainting", "cycle_plane", "fgan_practical", "fgan_matrix"),
  *("mcmc_mixing", "discrete_variables", "vae_and_gan", "lapgan_levels"),
  *("semi_supervised", "cycle_glasses", "wgan_estimates", "latent_joins"),
)
"""Figures of `experiments.figures` that the pages show."""
COLOURFUL = ("colouring", "cycle_glasses", "lapgan_levels", "super_resolution")
"""Those of images with colours that a small palette by their number loses."""
TALL = 1600
"""Height in pixels from which a picture is made smaller by a quarter."""


class Runs:
  """Trains runs, or reads those that are there.

  Attributes:
    folder: the parent of the run folders.
    data: the parent of the folders of images.
    commands: the commands that made what was read, also those run earlier.
  """

  def __init__(self, folder: Path, data: Path):
    self.folder = folder
    self.data = data
    self.commands: list[str] = []

  def results(self, name: str) -> Results:
    """Returns the results of a run, which is trained if it is missing."""
    workdir = self.folder / name
    flags = [*RUNS[name].split(), "--resume", f"--workdir={workdir}"]
    self.command("run", *flags, finished=results.is_finished(workdir))
    return results.read_results(workdir)

  def command(
    self,
    name: str,
    *flags: str,
    finished: bool = False,
    exit_codes: Collection[int] = (0,),
  ) -> None:
    """Runs a command of `experiments`, unless it has finished earlier."""
    command = f"python -m experiments.{name} {' '.join(flags)}"
    command = command.replace(str(self.folder), "runs")
    self.commands.append(command.format(data="data"))
    if finished:
      return
    print(self.commands[-1], flush=True)
    done = subprocess.run(
      [
        *(sys.executable, "-m", f"experiments.{name}"),
        *(flag.format(data=self.data) for flag in flags),
      ],
      cwd=FOLDER.parent,
    )
    if done.returncode not in exit_codes:
      raise UsageError(f"{self.commands[-1]} failed")

  def stop_after(self, step: int, workdir: Path, *flags: str) -> None:
    """Starts a run and interrupts it when it has logged a step."""
    command = [sys.executable, "-m", "experiments.run", *flags]
    with subprocess.Popen(command, cwd=FOLDER.parent) as process:
      while process.poll() is None:
        rows = results.read_rows(workdir / results.METRICS).rows
        if rows and rows[-1]["step"] >= step:
          process.terminate()
          process.wait()
        time.sleep(0.2)


def ring(runs: Runs) -> Image.Image:
  """Returns the final picture of the ring."""
  runs.results("ring")
  return Image.open(runs.folder / "ring" / results.FIGURES / "final.png")


def literature(runs: Runs, name: str) -> Image.Image:
  """Returns a figure of the literature."""
  out = runs.folder / "literature"
  runs.command("figures", f"--figure={name}", f"--out={out}",
               f"--runs={runs.folder}", exit_codes=(0, 1),
               finished=(out / f"{name}.json").exists())  # fmt: skip
  return Image.open(out / f"{name}.png")


def collapse(runs: Runs) -> Figure:
  """Draws samples on the ring: all modes, and some of them."""
  figure, panels = _panels(2, 3.0)
  for axes, name in zip(panels, ("balanced", "collapsed"), strict=True):
    run = runs.results(name)
    covered = run.metrics["modes_covered"][0, -1]
    _points(axes, run, 0)
    axes.set_title(f"{covered:.0f} of {len(run.snapshots['modes'])} modes")
  return figure


def oscillation(runs: Runs) -> Figure:
  """Draws the mean of the samples over the steps."""
  return _curves(runs, ("settles", "circles"), {"generated_mean": BLUE})


def saturation(runs: Runs) -> Figure:
  """Draws the means of D on real and on generated samples."""
  colours = {"discriminator_real": BLUE, "discriminator_fake": ORANGE}
  return _curves(runs, ("balanced", "saturated"), colours)


def memorised(runs: Runs) -> Figure:
  """Draws samples above the training images that are nearest to them."""
  figure, panels = _panels(2, 1.25)
  for axes, name in zip(panels, ("digits", "memorised"), strict=True):
    run = runs.results(name)
    samples = run.snapshots["samples"][0, -1][:NUM_NEIGHBOURS]
    settings = DCGANSettings(**run.settings)
    train = image_settings.read_dataset(settings).train
    data = image_datasets.limited(train, settings.training_images).pixels
    distances = [
      np.square(data.astype(np.float32) - sample).sum((1, 2, 3))
      for sample in samples.astype(np.float32)
    ]
    nearest = data[np.argmin(distances, axis=1)]
    _images(axes, np.concatenate([samples, nearest]), NUM_NEIGHBOURS)
    axes.set_title("samples, and the nearest images", fontsize=10)
  return figure


def resumed(runs: Runs) -> Figure:
  """Draws the costs of a run, and of the same run stopped twice."""
  whole = runs.results("uninterrupted")
  workdir = runs.folder / "resumed"
  flags = [*RUNS["uninterrupted"].split(), "--resume", f"--workdir={workdir}"]
  for step in STOPS:
    runs.stop_after(step, workdir, *flags)
  runs.command("run", *flags)
  parts = results.read_results(workdir)
  figure, (axes,) = _panels(1, 2.4)
  name = "generator_cost"
  axes.plot(whole.steps, whole.metrics[name][0], color=GREY, lw=4,
            label="in one go")  # fmt: skip
  axes.plot(parts.steps, parts.metrics[name][0], color=BLUE, lw=1,
            label="stopped twice, and resumed")  # fmt: skip
  for step in STOPS:
    axes.axvline(step, color=GREY, lw=0.8, ls=":")
  axes.set(xlabel="step", ylabel="cost of the generator")
  axes.legend(frameon=False)
  return figure


def sweep(runs: Runs) -> Image.Image:
  """Returns the heat map of a sweep over both learning rates."""
  workdir = runs.folder / "sweep"
  rates = "5e-4,1e-3,2e-3"
  runs.command("sweep", "--experiment=ring", "--num_seeds=2", "--steps=2000",
               f"--workdir={workdir}", "--grid=generator_learning_rate="
               f"{rates};discriminator_learning_rate={rates}",
               finished=results.is_finished(workdir))  # fmt: skip
  (path, *_) = sorted((workdir / "figures").glob("*.png"))
  return Image.open(path)


def final_and_best(runs: Runs) -> Figure:
  """Draws the score of each seed, with its last and its best step."""
  run = runs.results("balanced")
  score = run.metrics["mode_overlap"]
  figure, (axes,) = _panels(1, 2.6)
  for seed, values in enumerate(score):
    (line,) = axes.plot(run.steps, values, lw=1, label=f"seed {seed}")
    best = np.argmax(values)
    axes.plot(run.steps[best], values[best], "^", color=line.get_color())
    axes.plot(run.steps[-1], values[-1], "o", color=line.get_color())
  axes.set(xlabel="step", ylabel="overlap of the modes", ylim=(0, 1.02))
  axes.set_title("best (triangles) and final (dots)")
  return figure


def populations(runs: Runs) -> Figure:
  """Draws the steps per second of populations on a ring."""
  (toy,) = _kept("speed_toy")
  game, batch_size = speed_tables.RING, str(speed_tables.BATCH_SIZE)
  names = {
    "fastest PyTorch, 1 seed": toy["ratios"][game][batch_size]["best_pytorch"],
    "1 seed": "gan_jax",
    "8 seeds": "gan_jax_8_seeds",
    "32 seeds": "gan_jax_32_seeds",
  }
  rates = [speed_tables.rate(toy, game, name) for name in names.values()]
  figure, (axes,) = _panels(1, 1.9)
  axes.barh(list(names), rates, color=[GREY, BLUE, BLUE, BLUE])
  axes.invert_yaxis()
  axes.set_xlabel("steps per second of all seeds, on a ring")
  return figure


def speed(runs: Runs) -> Figure:
  """Draws the speed relative to PyTorch."""
  rows = speed_tables.compare(*_kept("speed_toy", "speed_dcgan", "speed_sweep"))
  figure, (axes,) = _panels(1, 3.0)
  ratios = [row.to_best_pytorch for row in rows]
  axes.barh(
    [row.label for row in rows],
    ratios,
    color=[BLUE if ratio >= 1 else ORANGE for ratio in ratios],
  )
  axes.axvline(1, color="black", lw=0.8)
  axes.invert_yaxis()
  axes.set_xlabel("steps per second, relative to the fastest PyTorch")
  return figure


def _kept(*names: str) -> list[Any]:
  """Reads kept measurements; raises UsageError if one is missing."""
  missing = [name for name in names if not (KEPT / f"{name}.json").exists()]
  if missing:
    raise UsageError(
      "python -m benchmarks.results --only="
      f"{','.join(missing)} has not been run"
    )
  return [results.read_json(KEPT / f"{name}.json") for name in names]


def strip(runs: Runs) -> Figure:
  """Draws one panel for each kind of result."""
  figure, panels = _panels(len(STRIP) + 1, 1.75, width=10.5)
  for axes, (title, name) in zip(panels, STRIP.items(), strict=False):
    run = runs.results(name)
    if title == "ring":
      _points(axes, run, _typical_member(run), size=1)
    else:
      _images(axes, run.snapshots["samples"][0, -1][:36], 6)
    axes.set_title(title, fontsize=9)
  _theory(panels[-1])
  return figure


def _typical_member(run: Results) -> int:
  """Returns the drawn seed whose reverse KL is nearest to the median."""
  divergences = run.sampled("reverse_kl")[:, -1]
  drawn = divergences[: len(run.snapshots["samples"])]
  return int(np.argmin(np.abs(drawn - np.median(divergences))))


def _theory(axes: Axes) -> None:
  """Draws the best discriminator between two normal distributions."""
  x = np.linspace(-4, 5, 300)
  data = np.exp(-((x + 0.7) ** 2) / 2)
  fake = np.exp(-((x - 1.7) ** 2) / 2)
  axes.plot(x, data, color=GREY, lw=1.2)
  axes.plot(x, fake, color=ORANGE, lw=1.2)
  axes.plot(x, data / (data + fake), color=BLUE, lw=1.6)
  axes.set(xticks=[], yticks=[])
  axes.set_title("p, q, D = p / (p + q)", fontsize=9)


def _panels(
  count: int, height: float, width: float = 7.2
) -> tuple[Figure, list[Axes]]:
  figure = Figure((width, height), layout="constrained", dpi=DPI)
  panels = figure.subplots(1, count, squeeze=False)[0]
  for axes in panels:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
  return figure, list(panels)


def _points(axes: Axes, run: Results, member: int, size: float = 2) -> None:
  """Draws the last samples of a seed in the plane, over the data."""
  arrays = run.snapshots
  axes.plot(*arrays["data_samples"].T, ".", color=GREY, ms=size)
  axes.plot(*arrays["samples"][member, -1].T, ".", color=ORANGE, ms=size)
  axes.set(aspect="equal", xticks=[], yticks=[])


def _images(axes: Axes, pixels: np.ndarray, columns: int) -> None:
  page = image_plots.mosaic(pixels, columns)
  axes.imshow(image_plots.coloured(page), interpolation="nearest")
  axes.set_axis_off()


def _curves(
  runs: Runs, names: Sequence[str], colours: dict[str, str]
) -> Figure:
  """Draws metrics of all seeds of two runs, side by side."""
  figure, panels = _panels(2, 2.6)
  for axes, name in zip(panels, names, strict=True):
    run = runs.results(name)
    shown = run.steps <= SHOWN_STEPS
    for metric, colour in colours.items():
      for seed, values in enumerate(run.metrics[metric]):
        label = metric if seed == 0 else None
        axes.plot(run.steps[shown], values[shown], color=colour, lw=0.8,
                  label=label)  # fmt: skip
    axes.set_xlabel("step")
  if len(colours) > 1:
    panels[-1].legend(frameon=False, fontsize=8, loc="center right")
  else:
    panels[0].set_ylabel(next(iter(colours)))
  low, high = zip(*(axes.get_ylim() for axes in panels), strict=True)
  for axes in panels:
    axes.set_ylim(min(low), max(high))
  return figure


PICTURES: dict[str, Callable[[Runs], Any]] = {
  "ring": ring,
  "sick_collapse": collapse,
  "sick_oscillation": oscillation,
  "sick_saturation": saturation,
  "sick_memorised": memorised,
  "resumed": resumed,
  "sweep": sweep,
  "final_and_best": final_and_best,
  "populations": populations,
  "speed": speed,
  "strip": strip,
  **{
    f"figures/{name}": functools.partial(literature, name=name)
    for name in LITERATURE
  },
}


def small_webp(picture: Figure | Image.Image, name: str = "") -> bytes:
  """Returns a lossless WebP of 32 colours that cover those of the picture.

  Images in colours, which the name tells, get 128. Very tall pictures become
  smaller.
  """
  if isinstance(picture, Figure):
    drawn = io.BytesIO()
    picture.savefig(drawn)
    picture = Image.open(drawn)
  image = picture.convert("RGB")
  if image.height > TALL:
    image = image.resize([3 * side // 4 for side in image.size])
  if name in COLOURFUL:
    reduced = image.quantize(128, Image.Quantize.FASTOCTREE)
  else:
    reduced = image.quantize(32, Image.Quantize.MAXCOVERAGE)
  small = io.BytesIO()
  reduced.convert("RGB").save(
    small, "WEBP", lossless=True, quality=100, method=6
  )
  return small.getvalue()


def make(names: Collection[str], runs: Runs) -> bool:
  """Makes pictures and records how; returns whether all were made."""
  # A GPU's memory is for the runs, which are other processes.
  os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
  machine = environment.describe(
    environment.choose_devices("auto", os.cpu_count() or 1)
  )
  date = datetime.date.today().isoformat()
  started = time.perf_counter()
  made = {}
  for name in names:
    runs.commands.clear()
    try:
      content = small_webp(PICTURES[name](runs), name.removeprefix("figures/"))
    # Hours of other pictures may follow.
    except Exception as error:
      print(f"{name}.webp stays as it is: {error}", file=sys.stderr, flush=True)
      continue
    (FOLDER / f"{name}.webp").write_bytes(content)
    made[name] = {
      "bytes": len(content),
      "sha256": hashlib.sha256(content).hexdigest(),
      "date": date,
      "git_commit": machine["git_commit"],
      "commands": list(dict.fromkeys(runs.commands)),
    }
  path = KEPT / "pictures.json"
  old = results.read_json(path)["pictures"] if path.exists() else {}
  if made:
    seconds = round(time.perf_counter() - started)
    results.write_json(
      path,
      {"date": date, "seconds": seconds, **machine, "pictures": old | made},
    )
  return len(made) == len(names)


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("pictures", nargs="*", help=", ".join(PICTURES))
  parser.add_argument("--runs", type=Path, default=Path("runs/docs"))
  parser.add_argument("--data", type=Path, default=Path("data"))
  arguments = parser.parse_args()
  names = arguments.pictures or list(PICTURES)
  if unknown := set(names) - set(PICTURES):
    parser.error(f"unknown pictures: {', '.join(sorted(unknown))}")
  runs = Runs(arguments.runs.resolve(), arguments.data.resolve())
  return 0 if make(names, runs) else 1


if __name__ == "__main__":
  sys.exit(main())
