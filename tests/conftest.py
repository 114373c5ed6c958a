"""Settings under which every test runs."""

import ctypes
import gc
import os
import resource
import sys
import tempfile

import jax
import psutil
import pytest

# A forgotten axis must not broadcast. (Strict promotion of dtypes would be
# right too, but optax's Adam raises a float to an int.)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Populations spread over devices.
jax.config.update("jax_num_cpu_devices", 2)

# Most programs run for less time than they compile, which fewer optimisations
# and the older of XLA's two code generators shorten. Users run with XLA's
# defaults, and so do tests with GAN_JAX_TEST_XLA=default.
_XLA = os.environ.get("GAN_JAX_TEST_XLA", "fast_compilation")
if _XLA not in ("fast_compilation", "default"):
  raise ValueError(f"GAN_JAX_TEST_XLA={_XLA} is not fast_compilation, default")
if _XLA == "fast_compilation":
  os.environ["XLA_FLAGS"] = " ".join(
    (
      os.environ.get("XLA_FLAGS", ""),
      "--xla_backend_optimization_level=0",
      "--xla_llvm_disable_expensive_passes=true",
      "--xla_cpu_use_fusion_emitters=false",
      "--xla_cpu_parallel_codegen_split_count=1",
    )
  )

# The same program is compiled once for all tests of a worker, and for all
# commands that they run, none of which sees what the user's runs have cached.
_cache = tempfile.TemporaryDirectory()
os.environ["XDG_CACHE_HOME"] = _cache.name
for _name, _value in (
  ("jax_compilation_cache_dir", f"{_cache.name}/gan_jax/xla"),
  ("jax_persistent_cache_min_compile_time_secs", 0),
  ("jax_persistent_cache_min_entry_size_bytes", -1),
  # Nobody reads where in the source each instruction is from.
  ("jax_traceback_in_locations_limit", 0),
):
  jax.config.update(_name, _value)
  os.environ[_name.upper()] = str(_value)

# Tracing makes many objects, of which hardly any are garbage in cycles.
gc.set_threshold(100_000, 50, 100)

MEGABYTE = 2**20
# Bytes in the unit that the system states memory in.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
_peaks = []
# A class of tests adds at most 1,000 MB, so that a worker stays below 2 GB.
RESIDENT_MEGABYTES = 600


@pytest.fixture(autouse=True, scope="class")
def _release_memory():
  """Releases memory after a class of tests that leaves a worker large.

  JAX keeps every compiled program, and the allocator of Linux keeps most of
  what is freed.
  """
  yield
  if "matplotlib.pyplot" in sys.modules:
    sys.modules["matplotlib.pyplot"].close("all")
  if psutil.Process().memory_info().rss < RESIDENT_MEGABYTES * MEGABYTE:
    return
  jax.clear_caches()
  gc.collect()
  if sys.platform == "linux":
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
      trim(0)


def pytest_sessionfinish(session):
  """Sends the most memory that a worker has had to the process that reports."""
  if hasattr(session.config, "workeroutput"):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    session.config.workeroutput["peak"] = peak * _PEAK_UNIT


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
  """Receives it."""
  _peaks.append(getattr(node, "workeroutput", {}).get("peak", 0))


def pytest_terminal_summary(terminalreporter):
  """Prints the memory of the largest worker."""
  if _peaks:
    terminalreporter.line(
      f"peak memory of a worker: {max(_peaks) // MEGABYTE:,} MB"
    )
