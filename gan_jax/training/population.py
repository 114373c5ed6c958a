"""Compiled training of many members at once: initialise, step, evaluate.

A member is one seed, possibly with settings that differ from the others'. All
that happens to it is a pure function of its root key: the key of step t is
`fold_in(train_key, t)`, so cutting the steps into chunks, for logging or for
resuming, changes nothing. The number of steps in a chunk is an argument of the
compiled program, not a constant in it, which makes this exact to the last bit.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gan_jax import sharding
from gan_jax.training.problems import Problem
from gan_jax.types import (
  Array,
  Device,
  Metrics,
  Players,
  PRNGKey,
  TrainState,
)

NEVER = -1
"""The failure step of a player whose cost has always been finite."""
_NO_STEP = 2**32 - 1
"""A number whose key no step uses; it draws the data of a member."""


class Keys(NamedTuple):
  """The three streams of randomness of a member."""

  init: PRNGKey
  train: PRNGKey
  evaluation: PRNGKey


class Progress(NamedTuple):
  """What the loop carries for one member.

  Attributes:
    state: the training state.
    failed_at: for each player, [] int32, the first step at which its cost was
      not finite, or NEVER.
  """

  state: TrainState
  failed_at: Players[Array]


def member_keys(seed: int | Array) -> Keys:
  """Derives a member's keys from its seed."""
  return Keys(*jax.random.split(jax.random.key(seed), 3))


def init(problem: Problem, keys: Keys) -> Progress:
  """Initialises a member."""
  return _first_progress(problem.init, keys)


def _first_progress(
  init_state: Callable[[PRNGKey], TrainState], keys: Keys
) -> Progress:
  never = jnp.full((), NEVER, jnp.int32)
  return Progress(init_state(keys.init), Players(never, never))


def structure(
  init_state: Callable[[PRNGKey], TrainState], num_members: int
) -> Progress:
  """Returns the progress as `jax.ShapeDtypeStruct` [num_members, ...].

  `init_state` is the `init` of the problem.
  """
  keys = jax.eval_shape(
    jax.vmap(member_keys),
    jax.ShapeDtypeStruct((num_members,), jnp.uint32),
  )
  return jax.eval_shape(
    jax.vmap(functools.partial(_first_progress, init_state)), keys
  )


def _data_of(problem: Problem, keys: Keys, data: Any) -> Any:
  """Returns the data that a member draws from."""
  if problem.member_data is None:
    return data
  return problem.member_data(jax.random.fold_in(keys.train, _NO_STEP), data)


def advance(
  problem: Problem,
  progress: Progress,
  keys: Keys,
  start: Array,
  stop: Array,
  data: Any = (),
) -> Progress:
  """Takes the steps start, ..., stop - 1 in one loop on the device.

  Args:
    problem: the problem of the member.
    progress: after `start` steps.
    keys: keys of the member.
    start: [] int32.
    stop: [] int32.
    data: data of the problem.

  Returns:
    The progress after `stop` steps.
  """
  data = _data_of(problem, keys, data)

  def body(index, progress):
    key = jax.random.fold_in(keys.train, index)
    batch_key, step_key = jax.random.split(key)
    batch = problem.sample_batch(batch_key, data)
    # All members share the index. A condition on the step, such as that of a
    # lazy penalty, is then decided once for all of them under `vmap`, and only
    # one branch is computed.
    state = progress.state.replace(step=index)
    state, metrics = problem.step(state, batch, step_key)
    costs = Players(metrics["generator_cost"], metrics["discriminator_cost"])
    failed_at = jax.tree.map(
      lambda failed, cost: jnp.where(
        (failed == NEVER) & ~jnp.isfinite(cost), index, failed
      ),
      progress.failed_at,
      costs,
    )
    return sharding.whole(Progress(state, failed_at))

  return jax.lax.fori_loop(start, stop, body, progress)


class Population(NamedTuple):
  """Compiled functions of all members at once.

  Every array in and out has a leading axis of members, except `start` and
  `stop`. `advance` donates its progress argument.

  Attributes:
    init: keys -> progress.
    advance: (progress, keys, start, stop) -> progress.
    evaluate: (progress, keys) -> metrics, each [members].
    measure: (progress, keys) -> the expensive metrics, each [members].
    snapshot: (progress, keys) -> arrays, each [drawn members, ...].
    keys: seeds uint32 -> the members' keys, placed on their devices.
  """

  init: Callable[[Keys], Progress]
  advance: Callable[[Progress, Keys, Any, Any], Progress]
  evaluate: Callable[[Progress, Keys], Metrics]
  measure: Callable[[Progress, Keys], Metrics]
  snapshot: Callable[[Progress, Keys], dict[str, Array]]
  keys: Callable[[Any], Keys]


def _over_members(function: Callable, num_shared: int, mesh: Mesh) -> Callable:
  """Maps a function of one member over the members of all devices.

  A CPU core takes its members one after another. Batched members were no faster
  for any network from 16 to 512 units and took longer to compile, and this way
  a member has the same bits as one that trains alone. An accelerator takes all
  its members at once, since one member would leave it idle. Devices that divide
  batches take one member after another together.
  """
  divides_batches = sharding.DATA in mesh.axis_names
  one_by_one = divides_batches or mesh.devices.flat[0].platform == "cpu"

  def mapped(*args):
    cut = len(args) - num_shared
    members, shared = args[:cut], args[cut:]

    def one(members):
      return function(*members, *shared)

    return jax.lax.map(one, members) if one_by_one else jax.vmap(one)(members)

  if mesh.size == 1 or divides_batches:
    return mapped
  split, whole = PartitionSpec(sharding.MEMBERS), PartitionSpec()

  def sharded(*args):
    num_split = len(args) - num_shared
    # Members never exchange anything, so there is no replication to check.
    return jax.shard_map(
      mapped,
      mesh=mesh,
      in_specs=(split,) * num_split + (whole,) * num_shared,
      out_specs=split,
      check_vma=False,
    )(*args)

  return sharded


def population(
  problem: Problem,
  num_members: int,
  devices: Sequence[Device],
  num_drawn: int,
  axis: str = sharding.MEMBERS,
) -> Population:
  """Compiles a problem for members that train side by side.

  Along MEMBERS, devices work independently. A CPU core trains its members one
  after another, so each has the same bits as one that trains alone. The members
  of an accelerator are one `vmap`ped program: their number changes the order of
  floating-point sums in batched products, and so the last bits of a member.

  Along DATA, all devices train the same member, one after another. Batch
  statistics, penalties and metrics are those of the whole batch, so only the
  order of floating-point sums differs from training on one device.

  Args:
    problem: the problem of every member.
    num_members: along MEMBERS a multiple of the number of devices.
    devices: the devices of all processes.
    num_drawn: number of members that snapshots are taken of, from the first.
    axis: what devices divide, `sharding.MEMBERS` or `sharding.DATA`.

  Raises:
    ValueError: if the devices do not divide the members.
  """
  return varied_population(
    lambda _: problem, (), num_members, devices, num_drawn, problem.data, axis
  )


def varied_population(
  make_problem: Callable[[Any], Problem],
  values: Any,
  num_members: int,
  devices: Sequence[Device],
  num_drawn: int,
  data: Any = (),
  axis: str = sharding.MEMBERS,
) -> Population:
  """Compiles one program for members whose problems differ in numbers.

  Args:
    make_problem: values of one member -> its problem. They are traced: they may
      be a learning rate, a penalty's weight or the index of a loss
      (`losses.selected`), but not a count or a shape.
    values: a pytree of arrays [num_members, ...].
    num_members: as in `population`.
    devices: as in `population`.
    num_drawn: as in `population`.
    data: data of all problems.
    axis: as in `population`.

  Raises:
    ValueError: if the devices do not divide the members.
  """
  mesh = sharding.mesh(devices, axis)
  if axis == sharding.MEMBERS and num_members % len(devices):
    raise ValueError(
      f"{num_members} members cannot be divided among {len(devices)} devices"
    )
  chex.assert_tree_shape_prefix(values, (num_members,))
  everywhere = NamedSharding(mesh, PartitionSpec())
  of_members = NamedSharding(
    mesh,
    PartitionSpec(sharding.MEMBERS)
    if axis == sharding.MEMBERS
    else PartitionSpec(),
  )
  # Place them once rather than in every call.
  data = sharding.placed(data, everywhere)
  values = sharding.placed(values, of_members)

  def on_mesh(function, **kwargs):
    jitted = jax.jit(function, **kwargs)
    if axis == sharding.MEMBERS:
      return jitted

    def call(*args):
      with jax.set_mesh(mesh):
        return jitted(*args)

    return call

  def compiled(function, num_shared=0, **kwargs):
    mapped = _over_members(function, num_shared, mesh)
    if axis == sharding.DATA:
      kwargs["out_shardings"] = everywhere
    return functools.partial(on_mesh(mapped, **kwargs), values)

  advance_members = compiled(
    lambda values, progress, keys, *shared: advance(
      make_problem(values), progress, keys, *shared
    ),
    num_shared=3,
    donate_argnums=1,
  )

  def evaluate_member(values, progress, keys, data):
    problem = make_problem(values)
    return problem.evaluate(
      progress.state, keys.evaluation, _data_of(problem, keys, data)
    )

  evaluate = compiled(evaluate_member, num_shared=1)

  def measure_member(values, progress, keys, data):
    problem = make_problem(values)
    if problem.measure is None:
      return {}
    return problem.measure(
      progress.state, keys.evaluation, _data_of(problem, keys, data)
    )

  measure = compiled(measure_member, num_shared=1)

  def snapshot(values, progress, keys):
    drawn = jax.tree.map(
      lambda x: x[:num_drawn], (values, progress.state, keys.evaluation)
    )

    def of_member(member):
      values, state, key = member
      return make_problem(values).snapshot(state, key)

    return jax.lax.map(of_member, drawn)

  return Population(
    init=compiled(lambda values, keys: init(make_problem(values), keys)),
    advance=lambda progress, keys, start, stop: advance_members(
      progress, keys, start, stop, data
    ),
    evaluate=lambda progress, keys: evaluate(progress, keys, data),
    measure=lambda progress, keys: measure(progress, keys, data),
    snapshot=functools.partial(on_mesh(snapshot), values),
    keys=jax.jit(jax.vmap(member_keys), out_shardings=of_members),
  )
