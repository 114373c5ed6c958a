"""Settings under which every test runs."""

import gc
import os
import tempfile

import jax

# A forgotten axis must not broadcast. (Strict promotion of dtypes would be
# right too, but optax's Adam raises a float to an int.)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Populations spread over devices.
jax.config.update("jax_num_cpu_devices", 2)

# Most programs run for less time than they compile, which fewer optimisations
# and the older of XLA's two code generators shorten.
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
