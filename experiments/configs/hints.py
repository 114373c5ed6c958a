"""Suggests names and values of flags for those that other programs use."""

import difflib
import re
from collections.abc import Collection, Iterable

MAX_SUGGESTIONS = 3

_BOTH = "each player has one: --generator_{0} and --discriminator_{0}"

OTHER_FLAGS: tuple[tuple[str, str], ...] = (
  # Each: names that other programs use, and what to write here. A name may be
  # in several rows; the first counts whose text names only flags of the command
  # or another command.
  ("epochs num_epochs n_epochs max_epochs", "training is counted in --steps"),
  (
    "num_steps n_steps max_steps train_steps training_steps total_steps "
    "iterations num_iterations iters n_iter niter max_iter step",
    "the number of training steps is --steps",
  ),
  (
    "batch bs batches minibatch minibatch_size train_batch_size",
    "the size of a minibatch is --batch_size",
  ),
  ("lr learning_rate step_size eta", _BOTH.format("learning_rate")),
  (
    "lr_g g_lr gen_lr lr_gen generator_lr",
    "the generator's learning rate is --generator_learning_rate",
  ),
  (
    "lr_d d_lr disc_lr lr_disc discriminator_lr critic_lr lr_critic",
    "the discriminator's learning rate is --discriminator_learning_rate",
  ),
  ("b1 beta1 beta_1 adam_beta1 momentum", _BOTH.format("beta1")),
  ("b2 beta2 beta_2 adam_beta2", _BOTH.format("beta2")),
  (
    "lr_decay lr_schedule lr_scheduler scheduler schedule",
    "both learning rates decay by --learning_rate_decay",
  ),
  ("optim opt", "the optimizer of both players is --optimizer"),
  (
    "n_critic num_critic critic_iters critic_steps d_steps disc_steps n_disc "
    "num_d_steps d_iters",
    "write --update=alternating and --discriminator_steps",
  ),
  (
    "g_steps gen_steps n_gen num_g_steps g_iters",
    "write --update=alternating and --generator_steps",
  ),
  (
    "gan_mode gan_type gan_loss loss_type loss_fn objective criterion adv_loss",
    "the loss of both players is --loss",
  ),
  (
    "g_loss gen_loss generator_loss g_objective gen_objective practical",
    "the generator's cost is --generator_objective",
  ),
  (
    "gp gradient_penalty use_gp lambda_gp gp_weight gp_lambda gp_coef",
    "write --penalty=gradient_penalty and its --penalty_weight",
  ),
  ("r1 r1_gamma r1_weight", "write --penalty=r1 and its --penalty_weight"),
  (
    "clip clip_value clipping clip_weights weight_clip",
    "the largest weight of the discriminator is --weight_clipping",
  ),
  (
    "sn spectral spectral_norm spectral_normalization use_sn",
    "write --discriminator_normalization=spectral",
  ),
  (
    "norm normalization batch_norm bn",
    "each player has one: --generator_normalization and "
    "--discriminator_normalization",
  ),
  ("dropout", "it is --discriminator_dropout"),
  ("l2 weight_decay wd", "it is --discriminator_l2"),
  ("label_smooth one_sided_label_smoothing", "it is --label_smoothing"),
  (
    "ema ema_decay ema_beta use_ema average",
    "the average of the generator is --generator_average",
  ),
  ("pac pac_size pack", "the number of samples in a pack is --packing"),
  (
    "z z_dim dim_z nz z_size latent latents latent_size noise_dim noise_size "
    "zdim",
    "the number of latents is --latent_dim",
  ),
  (
    "train_samples num_training_samples dataset_size",
    "the size of the training set is --training_samples",
  ),
  ("prior noise noise_type", "the latents' distribution is --latent_prior"),
  (
    "ngf gf_dim g_channels gen_filters",
    "it is --generator_filters in convolutional networks, and "
    "--generator_width in perceptrons",
  ),
  (
    "ndf df_dim d_channels disc_filters",
    "it is --discriminator_filters in convolutional networks, and "
    "--discriminator_width in perceptrons",
  ),
  (
    "width hidden hidden_dim hidden_size hidden_units units",
    _BOTH.format("width"),
  ),
  ("layers num_layers n_layers", _BOTH.format("depth")),
  ("activation act nonlinearity", _BOTH.format("activation")),
  ("init weight_init init_type", "the initial kernels are --initializer"),
  ("arch network net backbone", "the networks are --architecture"),
  (
    "conditional class_conditional cond cgan num_classes n_classes",
    "the way that classes enter is --condition",
  ),
  (
    "img_size image_height resolution res size im_size",
    "the side of an image is --image_size",
  ),
  ("channels nc img_channels num_channels", "it is --image_channels"),
  ("data root data_path image_dir images", "the images are read by --source"),
  (
    "data data_path data_root root train_dir image_dir images source",
    "the folder of the images is --data_dir",
  ),
  ("dtype precision amp fp16 bf16 mixed_precision", "it is --compute_dtype"),
  (
    "gpus gpu num_gpus n_gpu ngpu gpu_id gpu_ids cuda tpu device",
    "--platform=gpu or tpu trains on all of them, and --mesh divides the work",
  ),
  (
    "gpus gpu num_gpus n_gpu ngpu gpu_id gpu_ids cuda tpu device cpu use_cpu "
    "no_cuda devices",
    "the devices are those of --platform=cpu, gpu or tpu",
  ),
  (
    "workers num_workers n_jobs jobs parallel",
    "the number of programs at a time is --max_parallel",
  ),
  ("backend cluster", "where programs train is --engine"),
  (
    "output_dir out_dir output outdir save_dir save_path log_dir logdir "
    "results_dir result_dir run_dir checkpoint_dir model_dir exp_dir ckpt out "
    "dir folder run run_folder load checkpoint path",
    "the folder of a run is --workdir",
  ),
  (
    "output_dir out_dir output outdir save_dir save_path log_dir logdir "
    "results_dir result_dir file filename dir folder",
    "where to write is --out",
  ),
  (
    "name exp exp_name experiment_name config model problem game run_name",
    "what to train is --experiment",
  ),
  ("name id fig figures", "the figures to draw are --figure"),
  ("name data_name", "what to prepare is --dataset"),
  ("random_seed manual_seed rng_seed", "the first seed is --seed"),
  ("seeds n_seeds num_runs repeats runs", "it is --num_seeds"),
  ("seeds n_seeds", "it is --seed"),
  (
    "save_every save_interval save_freq checkpoint_interval ckpt_every "
    "save_steps checkpoint_steps",
    "the steps between checkpoints are --checkpoint_every",
  ),
  (
    "log_interval print_every print_freq log_freq log_steps logging_steps "
    "display_freq",
    "the steps between rows of metrics are --log_every",
  ),
  (
    "eval_every eval_interval eval_freq eval_steps fid_every sample_interval",
    "the steps between measurements are --evaluate_every",
  ),
  ("eval no_eval skip_eval measure metrics", "--noevaluate measures nothing"),
  (
    "num_eval eval_samples num_fid_samples fid_samples n_eval",
    "the samples in an evaluation are --evaluation_samples",
  ),
  (
    "continue restart resume_from restore load_checkpoint resume_path",
    "write --resume and the --workdir of the run",
  ),
  ("resume continue restart", "--workdir alone resumes a sweep"),
  ("force clobber replace", "it is --overwrite"),
  ("n num samples n_samples count", "it is --num_samples"),
  ("class classes class_label y", "the class to draw is --label"),
  ("tb tensorboard_dir use_tensorboard wandb", "it is --tensorboard"),
  ("search sweep params space", "the values to try are --grid or --random"),
  ("n_trials num_samples num_trials samples", "it is --trials"),
  ("dryrun test", "it is --dry_run"),
  ("grid random trials", "experiments.sweep trains several values"),
  ("list", "experiments.run lists the experiments"),
  ("label num_samples", "experiments.sample draws from a finished run"),
  ("dataset source", "experiments.prepare_data prepares datasets"),
)

OTHER_VALUES: dict[str, tuple[tuple[str, str], ...]] = {
  # For each flag: values that other programs use, and the value or the flags to
  # write here.
  "loss": (
    ("wgan w w1 emd earth_mover", "wasserstein"),
    ("wgan_gp", "--loss=wasserstein --penalty=gradient_penalty"),
    ("wgan_lp", "--loss=wasserstein --penalty=one_sided_gradient_penalty"),
    ("wgan_clip", "--loss=wasserstein --weight_clipping=0.01"),
    ("dragan", "--loss=non_saturating --penalty=dragan"),
    ("sngan sn_gan", "--loss=hinge --discriminator_normalization=spectral"),
    ("lsgan ls mse l2", "least_squares"),
    (
      "vanilla standard gan dcgan bce cross_entropy ns nsgan logistic softplus",
      "non_saturating",
    ),
    ("mm mmgan saturating zero_sum original", "minimax"),
    ("ml mle max_likelihood", "maximum_likelihood"),
    ("ragan rasgan relativistic", "relativistic_average"),
    ("rsgan rgan rpgan", "relativistic_pairing"),
    ("geometric hinge_loss", "hinge"),
    ("js jsd", "f_jensen_shannon"),
    ("rkl", "f_reverse_kl"),
    ("tv", "f_total_variation"),
    ("hellinger", "f_squared_hellinger"),
    ("chi2 chi_squared pearson_chi2", "f_pearson"),
  ),
  "generator_objective": (
    ("zero_sum zerosum saturating minimax default", "standard"),
    ("non_saturating ns heuristic alternative", "practical"),
  ),
  "optimizer": (
    ("adamw", "adam"),
    ("gd gradient_descent", "sgd"),
    ("optimistic oadam omd optimistic_mirror_descent", "optimistic_adam"),
  ),
  "update": (
    ("sim simgd simgda gda", "simultaneous"),
    ("alt altgd altgda", "alternating"),
    ("extra eg extra_adam", "extragradient"),
    ("past optimistic omd ogda peg", "past_extragradient"),
    ("co conopt consensus_optimization", "consensus"),
    ("sga", "symplectic_gradient_adjustment"),
    ("rk4 ode odegan", "runge_kutta_4"),
    ("unrolled_gan", "unrolled"),
  ),
  "penalty": (
    ("gp wgan_gp", "gradient_penalty"),
    ("lp wgan_lp one_sided", "one_sided_gradient_penalty"),
    ("0gp zero_gp zero_centred zero", "zero_centered"),
    ("ct cr", "consistency"),
    ("spectral sn spectral_norm", "--discriminator_normalization=spectral"),
    ("clip clipping weight_clipping", "--weight_clipping=0.01"),
  ),
  "discriminator_normalization": (
    ("bn batch_norm batch_normalization", "batch"),
    ("ln layer_norm layer_normalization", "layer"),
    ("sn spectral_norm spectral_normalization", "spectral"),
  ),
  "generator_normalization": (
    ("bn batch_norm batch_normalization", "batch"),
    ("ln layer_norm layer_normalization", "layer"),
  ),
  "learning_rate_decay": (
    ("constant off false no", "none"),
    ("cos cosine_annealing", "cosine"),
    ("poly polynomial", "linear"),
  ),
  "latent_prior": (("gaussian gauss n", "normal"), ("u", "uniform")),
  "platform": (
    ("cuda nvidia rocm", "gpu"),
    ("default any", "auto"),
  ),
  "compute_dtype": (
    ("bf16 half fp16 float16 mixed", "bfloat16"),
    ("fp32 float f32 full", "float32"),
  ),
  "dataset": (
    ("fashion fmnist", "fashion_mnist"),
    ("cifar", "cifar10"),
    ("custom image_folder images own", "folder"),
  ),
  "engine": (("process multiprocessing", "local"),),
}


def _plain(name: str) -> str:
  """Returns a name without case, hyphens and underscores."""
  return re.sub(r"[-_ ]", "", name).lower()


def _row(
  given: str, rows: Iterable[tuple[str, str]], flags: Collection[str] | None
) -> str:
  """Returns the text of the row that has a name, or "".

  Rows that name a flag that is not in `flags` do not count, unless it is None.
  """
  for names, text in rows:
    named = set(re.findall(r"--(?:no)?(\w+)", text))
    if _plain(given) in map(_plain, names.split()) and (
      flags is None or named <= set(flags)
    ):
      return text
  return ""


def near_names(given: str, allowed: Iterable[str]) -> list[str]:
  """Lists the allowed names that are most like a given one, best first.

  Those that differ only in case, hyphens and underscores come alone, then those
  with similar letters, then those that contain the given name.
  """
  plain = {name: _plain(name) for name in allowed}
  wanted = _plain(given)
  same = [name for name, text in plain.items() if text == wanted]
  if same or not wanted:
    return same
  texts = difflib.get_close_matches(wanted, plain.values(), n=1)
  if texts:
    return [name for name, text in plain.items() if text in texts]
  if len(wanted) > 1:
    near = [name for name, text in plain.items() if wanted in text]
    return near[:MAX_SUGGESTIONS]
  return []


def suggestion(given: str, allowed: Iterable[str]) -> str:
  """Writes "did you mean 'NAME'? " if an allowed name is similar."""
  near = " or ".join(map(repr, near_names(given, allowed)))
  return f"did you mean {near}? " if near else ""


def unknown(kind: str, given: str, allowed: Iterable[str]) -> str:
  """Writes that a name is unknown and which names are allowed."""
  allowed = tuple(allowed)
  return (
    f"unknown {kind} {given!r}; {suggestion(given, allowed)}"
    f"allowed: {', '.join(allowed)}"
  )


def unknown_flag(given: str, flags: Collection[str]) -> str:
  """Writes that a flag or a setting is unknown, and the one that is meant.

  Args:
    given: its name.
    flags: the names that are known.
  """
  if text := _row(given, OTHER_FLAGS, flags):
    return f"there is no --{given}; {text}"
  near = " or ".join(f"--{name}" for name in near_names(given, flags))
  hint = f"did you mean {near}? " if near else ""
  return f"there is no --{given}; {hint}--help lists all flags"


def near_value(flag: str, given: str, allowed: Iterable[str]) -> str:
  """Writes "did you mean --loss=hinge? " if a value of a flag is similar."""
  text = _row(given, OTHER_VALUES.get(flag, ()), None)
  if not text:
    text = " or ".join(f"--{flag}={x}" for x in near_names(given, allowed))
  elif not text.startswith("--"):
    text = f"--{flag}={text}"
  return f"did you mean {text}? " if text else ""
