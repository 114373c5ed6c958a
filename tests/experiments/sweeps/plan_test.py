"""Which trials a sweep has, which programs train them, and what is kept."""

import json
import tempfile
from pathlib import Path

from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.errors import RunFolderError, SettingError
from experiments.sweeps import plan as plans
from experiments.sweeps import search_space
from experiments.training.run_config import RunSettings


def make(
  text,
  seeds=(0,),
  max_members=0,
  skips_invalid=False,
  names=("ring",),
  **values,
):
  experiment = BY_NAME[names[0]]
  settings = with_values(experiment.settings, values)
  axes = (search_space.read_experiments(names),) if names[1:] else ()
  if text:
    axes += search_space.read_grid(text, settings)
  return plans.make_plan(
    RunSettings(experiment, settings, tuple(seeds)),
    values,
    axes,
    search_space.crossed(axes, ()),
    plans.PlanOptions(max_members=max_members),
    skips_invalid,
  )


class ProgramsTest(parameterized.TestCase):
  @parameterized.parameters(
    # Numbers share a program; what changes its structure does not.
    ("generator_learning_rate=1e-4,1e-3,1e-2", [[0, 1, 2]]),
    ("generator_learning_rate=1e-4,1e-3;loss=hinge,minimax", [[0, 2], [1, 3]]),
    ("batch_size=8,16", [[0], [1]]),
    ("discriminator_width=8,16;radius=1,2", [[0, 1], [2, 3]]),
    ("generator_beta1=0,0.5", [[0, 1]]),
    # Without noise, regularisation or an average there is less to compute.
    ("instance_noise=0,0.1,0.2", [[0], [1, 2]]),
    ("discriminator_l2=0,1e-3", [[0], [1]]),
    ("generator_average=0.9,0,0.99", [[0, 2], [1]]),
    ("penalty=r1,(r1,r2);penalty_weight=1,2", [[0, 1], [2, 3]]),
  )
  def test_packed(self, text, programs):
    self.assertEqual(make(text).programs, tuple(map(tuple, programs)))

  def test_a_weight_for_each_penalty_is_another_program_than_one_for_all(self):
    plan = make("penalty_weight=1,2,(3,4)", penalty="r1,r2")
    self.assertEqual(plan.programs, ((0, 1), (2,)))

  def test_max_members_counts_seeds(self):
    text = "generator_learning_rate=1,2,3,4,5"
    self.assertEqual(
      make(text, range(2), max_members=5).programs, ((0, 1), (2, 3), (4,))
    )
    # One trial is never divided.
    self.assertLen(make(text, range(8), max_members=2).programs, 5)


class TrialsTest(parameterized.TestCase):
  def test_names_and_settings(self):
    plan = make("generator_learning_rate=1e-4,0.5;penalty=none,(r1,r2)")
    self.assertEqual(
      [trial.name for trial in plan.trials],
      [
        "generator_learning_rate=0.0001,penalty=none",
        "generator_learning_rate=0.0001,penalty=r1,r2",
        "generator_learning_rate=0.5,penalty=none",
        "generator_learning_rate=0.5,penalty=r1,r2",
      ],
    )
    settings = plan.trials[3].run.settings
    self.assertEqual(settings.generator_learning_rate, 0.5)
    self.assertEqual(settings.penalty, ("r1", "r2"))
    self.assertEqual(settings.batch_size, BY_NAME["ring"].settings.batch_size)

  def test_several_experiments(self):
    # `grid` has other defaults than `ring`, but for what is given.
    plan = make("loss=hinge,minimax", names=["ring", "grid"], steps=7)
    self.assertEqual(
      [trial.name for trial in plan.trials],
      [
        "experiment=ring,loss=hinge",
        "experiment=ring,loss=minimax",
        "experiment=grid,loss=hinge",
        "experiment=grid,loss=minimax",
      ],
    )
    for trial in plan.trials:
      name, defaults = trial.run.experiment.name, trial.run.experiment.settings
      self.assertIn(f"experiment={name},", trial.name)
      self.assertEqual(
        trial.run.settings,
        defaults.replace(steps=7, loss=trial.values["loss"]),
      )
    self.assertEqual(plan.programs, ((0,), (1,), (2,), (3,)))
    self.assertEqual(
      plan.command(),
      "python -m experiments.sweep --experiment=ring,grid "
      "--grid=loss=hinge,minimax --steps=7",
    )
    # A value that is the default of the first only is given to both.
    same = BY_NAME["ring"].settings.steps
    plan = make("", names=["ring", "normal"], steps=same)
    self.assertEqual([x.run.settings.steps for x in plan.trials], [same] * 2)
    self.assertNotEqual(BY_NAME["normal"].settings.steps, same)
    with self.assertRaisesRegex(SettingError, "'normal' has no --radius"):
      make("radius=1,2", names=["ring", "normal"])

  def test_names_fit_a_folder_and_stay_apart(self):
    plan = make(
      "data_dir=/a/b,/a-b",
      names=["dcgan_mnist"],
      dataset="folder",
      data_dir="/x",
    )
    names = [trial.name for trial in plan.trials]
    self.assertLen(set(names), 2)
    for name in names:
      self.assertNotIn("/", name)
    means = ",".join(f"({mean}.123456789,{mean}.5)" for mean in range(2))
    many = ";".join(
      f"{name}=0.12345678,0.23456789"
      for name in (
        "generator_beta1",
        "generator_beta2",
        "discriminator_beta1",
        "discriminator_beta2",
        "generator_average",
      )
    )
    plan = make(f"input_mean={means};{many}", names=["mixture_near"])
    names = [trial.name for trial in plan.trials]
    self.assertLen(set(names), 64)
    self.assertLessEqual(max(map(len, names)), plans.MAX_NAME)

  def test_combinations_that_make_no_sense(self):
    text = "penalty=none,r1;penalty_weight=1,10"
    with self.assertRaisesRegex(
      SettingError, "penalty=none,penalty_weight=10: .*no effect.*skip_invalid"
    ):
      make(text)
    plan = make(text, skips_invalid=True)
    self.assertEqual(plan.left_out, 1)
    self.assertLen(plan.trials, 3)
    with self.assertRaisesRegex(SettingError, "no combination"):
      make("penalty_weight=10,20", skips_invalid=True)


class KeptTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def test_read_back(self):
    for text, names in (
      ("penalty=none,(r1,r2);penalty_weight=1,(2,3)", ["ring"]),
      ("loss=hinge,minimax;radius=1,2", ["ring"]),
      ("penalty=none,(r1,r2)", ["grid", "normal"]),
    ):
      plan = make(text, range(3), skips_invalid=True, names=names, steps=7)
      folder = Path(tempfile.mkdtemp(dir=self.folder))
      plans.write_plan(plan, folder)
      found = plans.read_plan(folder)
      self.assertEqual(found, plan)
      self.assertEqual(
        found.unfinished_programs(folder), list(range(len(plan.programs)))
      )
      self.assertIsNone(plans.plan_difference(found, plan))

  def test_difference(self):
    plan = make("radius=1,2")
    for other, phrase in (
      (make("radius=1,2", seeds=(1,)), "seeds"),
      (make("radius=1,2", steps=3), "steps 8000, not 3"),
      (make("radius=1,3"), "varies other values"),
      (make("radius=1,2", loss="hinge"), "loss "),
    ):
      self.assertIn(phrase, plans.plan_difference(plan, other) or "")

  def test_no_plan(self):
    with self.assertRaisesRegex(RunFolderError, "no folder of a sweep"):
      plans.read_plan(self.folder)
    plans.write_plan(make("radius=1,2"), self.folder)
    path = self.folder / plans.PLAN
    content = json.loads(path.read_text())
    for damage in (
      lambda each: each.pop("trials"),
      lambda each: each.update(experiment="x"),
      lambda each: each["settings"].update(speed=1),
      lambda each: each["trials"][0]["values"].update(radius=-1),
      lambda each: each["trials"][0].update(name="../../x"),
      lambda each: each["trials"][0].update(name=".."),
      lambda each: each["trials"][0].update(name=3),
      lambda each: each["trials"].append(each["trials"][0]),
      lambda each: each.update(trials=3),
      lambda each: each.update(programs=[[0, 7]]),
      lambda each: each.update(programs=[[0]]),
      lambda each: each.update(programs=[["0", "1"]]),
      lambda each: each.update(axes=["radius"]),
      lambda each: each.update(seeds=7),
      lambda each: each.update(settings=None),
      lambda each: each.update(given=3),
      lambda each: each.update(axes={"experiment": ["ring", "x"]}),
    ):
      damaged = json.loads(json.dumps(content))
      damage(damaged)
      path.write_text(json.dumps(damaged))
      with self.assertRaises(RunFolderError):
        plans.read_plan(self.folder)


if __name__ == "__main__":
  absltest.main()
