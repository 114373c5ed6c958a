"""Prepares a dataset: `python -m experiments.prepare_data --dataset=mnist`."""

import contextlib
import dataclasses
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.cli import console, flags
from experiments.configs.fields import setting
from experiments.errors import UsageError
from gan_jax.data import image_decoding, image_files, image_source, images

USAGE = f"""\
python -m experiments.prepare_data --dataset=NAME [--source=PATH]

Prepares {", ".join(image_source.PREPARED)} as TensorFlow Datasets
does, without TensorFlow. It downloads the official files and compares their
checksums. Complete files are kept in DATA_DIR/downloads, so a second try
continues after the last of them. With --source nothing is downloaded."""

DOWNLOADS = "downloads"
"""The folder of a data_dir that TFDS keeps official files in."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareOptions:
  """The flags of this command."""

  dataset: str = setting(
    "",
    f"dataset to prepare; {image_source.FACES} needs no preparation",
    choices=(*image_source.PREPARED, image_source.FACES),
    heading="Dataset",
  )
  source: str = setting(
    "",
    "files to use instead of a download: a folder of IDX files, a folder or "
    "zip of images (train/CLASS/x.jpg, CLASS/x.jpg or x.jpg), or a folder of "
    "the official archives",
    is_path=True,
  )
  layout: str = setting(
    "auto",
    "meaning of the outermost folders of images: classes, splits such as train "
    "and test, or nothing (flat); auto tells by their names",
    choices=image_source.LAYOUTS,
  )
  data_dir: str = setting(
    "",
    "folder to write to; by default the folder that TFDS uses",
    is_path=True,
    heading="Output",
  )
  overwrite: bool = setting(False, "replace an existing dataset")


def run(argv: list[str]) -> int:
  """Runs the command and returns its exit code."""
  options = flags.read_command_line(argv, PrepareOptions, (), USAGE).options
  if not options.dataset:
    raise UsageError(
      "--dataset is missing; it must be one of "
      f"{', '.join(image_source.PREPARED)}"
    )
  if options.dataset == image_source.FACES:
    raise UsageError(
      f"dataset {image_source.FACES} needs no preparation: it is drawn when it "
      "is first used"
    )
  # Its import takes longer than all that can be wrong with the flags.
  from experiments.datasets import tfds

  dataset = options.dataset
  data_dir = images.default_data_dir()
  if options.data_dir:
    data_dir = Path(options.data_dir)
  target = data_dir / dataset / str(tfds.official(dataset).VERSION)
  _check_free(target, options.overwrite)
  source = Path(options.source) if options.source else None
  try:
    splits, skipped = _prepare(
      dataset, source, options.layout, data_dir, target
    )
  except image_source.AmbiguousLayoutError as error:
    raise UsageError(f"{error}; say which with --layout") from error
  except image_files.ImagesError as error:
    raise UsageError(str(error)) from error
  except tfds.DownloadError as error:
    raise UsageError(
      f"{error}; files that are whole are kept: try again, or pass --source"
    ) from error
  except KeyboardInterrupt:
    console.say("interrupted; files that are whole are kept")
    sys.stdout.flush()
    # Otherwise the thread that downloads would finish its file first.
    os._exit(flags.INTERRUPTED_EXIT_CODE)
  for split, reasons in skipped.items():
    if reasons:
      console.say(
        f"{split}: skipped {len(reasons):,} images that cannot be decoded; "
        f"the first: {reasons[0]}"
      )
  sizes = [f"{info.num_examples:,} {name}" for name, info in splits.items()]
  print(f"prepared {' and '.join(sizes)} images of {dataset}")
  print(f"written to {target}")
  return 0


def _check_free(target: Path, overwrite: bool) -> None:
  """Raises UsageError if the target exists and may not be replaced."""
  if not target.exists():
    return
  if not overwrite:
    raise UsageError(
      f"{target} exists; choose another --data_dir or pass --overwrite"
    )
  if not (target / "dataset_info.json").is_file():
    raise UsageError(
      f"{target} is no prepared dataset, so --overwrite leaves it alone; "
      "choose another --data_dir"
    )


def _official_files(official: Any, source: Path) -> Path | None:
  """Returns `source` if it has all files of the download, else None."""
  names = {info.filename for info in official.url_infos.values()}
  # MNIST is read from its files directly: unpacked or gzipped again, they have
  # the same images but another checksum.
  if any(name.endswith("-ubyte.gz") for name in names):
    return None
  return source if all((source / name).is_file() for name in names) else None


def _find(dataset: str, source: Path, layout: str) -> image_source.Sources:
  """Finds the files of a dataset, or raises ImagesError."""
  found = image_files.find(dataset, source, layout)
  if found is None and source.is_dir():
    raise image_files.ImagesError(f"{source} has no images")
  if found is None:
    raise image_files.ImagesError(f"there is no file or folder {source}")
  return found


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
  """Makes a folder and locks it against other processes of this command."""
  data_dir.mkdir(parents=True, exist_ok=True)
  handle = os.open(data_dir, os.O_RDONLY)
  try:
    try:
      fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise UsageError(
        f"another process prepares a dataset in {data_dir}; wait for it"
      ) from None
    yield
  finally:
    os.close(handle)


def _prepare(
  dataset: str,
  source: Path | None,
  layout: str,
  data_dir: Path,
  target: Path,
) -> tuple[Mapping[str, Any], Mapping[str, list[str]]]:
  """Prepares a dataset from the files of `source`, or downloads it if None.

  Returns, for each split, the SplitInfo of TFDS and why images were skipped.
  """
  from experiments.datasets import tfds

  archives = source and _official_files(tfds.official(dataset), source)
  with contextlib.ExitStack() as stack:
    if source and not archives:
      sources = _find(dataset, source, layout)
      contents = {
        "train": stack.enter_context(sources.train.open()),
        "test": stack.enter_context(sources.test.open()),
      }
      stack.enter_context(image_decoding.decoding())
      builder, skipped = tfds.reading(dataset, contents, source)
      console.say(f"preparing {dataset} from {source}")
    else:
      builder, skipped = tfds.downloading(dataset), {}
      where = archives or data_dir / DOWNLOADS
      console.say(f"preparing {dataset} from the official files in {where}")
    stack.enter_context(_locked(data_dir))
    return _build(builder, data_dir, target, archives), skipped


def _build(
  builder_class: Any, data_dir: Path, target: Path, archives: Path | None
) -> Mapping[str, Any]:
  """Prepares a dataset in a folder beside `target`, and moves it there whole.

  It replaces a dataset in `target`. `archives` is a folder that already has the
  official files, or None. Returns the SplitInfo of each split.
  """
  import tensorflow_datasets as tfds

  staging = data_dir / f".partial-{builder_class.name}"
  downloads = data_dir / DOWNLOADS
  tfds.display_progress_bar(sys.stderr.isatty())
  try:
    _remove_partial(staging, downloads)
    builder = builder_class(data_dir=staging)
    builder.download_and_prepare(
      download_dir=downloads,
      download_config=tfds.download.DownloadConfig(
        manual_dir=archives,
        try_download_gcs=False,
        force_checksums_validation=True,
      ),
      file_format="array_record",
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
      target.rename(staging / "replaced")
    (staging / target.relative_to(data_dir)).rename(target)
    return builder.info.splits
  finally:
    _remove_partial(staging, downloads)


def _remove_partial(staging: Path, downloads: Path) -> None:
  """Removes what an interrupted preparation left."""
  for path in (staging, *downloads.glob("*/*.tmp.*")):
    shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
  flags.main(run)
