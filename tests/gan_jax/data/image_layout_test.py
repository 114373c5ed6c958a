"""Splits and classes of the folders in which people keep images."""

from pathlib import Path

from absl.testing import absltest, parameterized

from gan_jax.data import image_layout
from gan_jax.data.image_source import (
  NO_LABEL,
  AmbiguousLayoutError,
  ImagesError,
)

WHERE = Path("photos")


def files(folders, count=20, form="{:03d}.png"):
  """Names `count` files in each folder."""
  return [
    f"{folder}/{form.format(index)}" if folder else form.format(index)
    for folder in folders
    for index in range(count)
  ]


def numbered(folders, count=20):
  """Names files whose numbers go on from folder to folder."""
  return [
    f"{folder}/img{number * count + index:08d}.png"
    for number, folder in enumerate(folders)
    for index in range(count)
  ]


ANIMALS = ("cat", "dog")
SIGNS = ("00000", "00001")


def divided(train, test, classes=ANIMALS, form="{}/{}"):
  """Names 20 training and 6 test images of each class."""
  return files([form.format(train, name) for name in classes]) + files(
    [form.format(test, name) for name in classes], 6
  )


# Name of the case, files, classes, training and test images.
READ = (
  *(
    (f"{train}_{test}", divided(train, test), ANIMALS, 40, 12)
    for train, test in (
      ("train", "test"),
      ("Train", "Test"),
      ("TRAINING", "TESTING"),
      ("train", "val"),
      ("train", "valid"),
      ("training", "validation"),
      ("train", "dev"),
      ("train", "eval"),
      ("train_images", "test_images"),
      ("training_set", "test_set"),
      ("seg_train", "seg_test"),
      ("asl_alphabet_train", "asl_alphabet_test"),
      ("train2017", "val2017"),
      ("Train-Data", "Test-Data"),
    )
  ),
  # Intel's scenes repeat the name of a split, and have images to predict.
  (
    "repeated_names",
    [
      *files([f"seg_train/seg_train/{name}" for name in ANIMALS]),
      *files([f"seg_test/seg_test/{name}" for name in ANIMALS], 6),
      *files(["seg_pred/seg_pred"], 9),
    ],
    ANIMALS,
    40,
    12,
  ),
  # CIFAR-10 as images: a folder within the zip.
  (
    "outer_folder",
    [f"cifar10/{name}" for name in divided("train", "test")],
    ANIMALS,
    40,
    12,
  ),
  # YOLO: splits below images.
  ("images_of_splits", divided("images/train", "images/val"), ANIMALS, 40, 12),
  ("splits_of_images", divided("train/images", "test/images"), ANIMALS, 40, 12),
  # Chest X-rays: a test split beside a small val.
  (
    "test_and_val",
    divided("chest/train", "chest/test") + files(["chest/val/cat"], 4),
    ANIMALS,
    40,
    12,
  ),
  # Tiny ImageNet: val and test without classes.
  (
    "unlabelled_val",
    [
      *files(["tiny/train/n01/images", "tiny/train/n02/images"]),
      *files(["tiny/val/images", "tiny/test/images"], 6),
    ],
    ("n01", "n02"),
    36,
    4,
  ),
  # Dogs against cats: classes of training alone.
  (
    "unlabelled_test",
    files(["train/cat", "train/dog"]) + files(["test"], 6),
    ANIMALS,
    36,
    4,
  ),
  (
    "labelled_val_before_unlabelled_test",
    divided("train", "val") + files(["test"], 7),
    ANIMALS,
    40,
    12,
  ),
  ("flat_splits", files(["train"]) + files(["test1"], 6), (), 20, 6),
  # CycleGAN's two domains.
  (
    "domains",
    files(["trainA", "trainB"]) + files(["testA", "testB"], 6),
    ("a", "b"),
    40,
    12,
  ),
  ("one_domain", files(["trainA"]) + files(["testA"], 6), (), 20, 6),
  # Splits inside classes.
  (
    "splits_in_classes",
    divided("train", "test", form="{1}/{0}"),
    ANIMALS,
    40,
    12,
  ),
  ("only_train", files(["train/cat", "train/dog"]), ANIMALS, 36, 4),
  ("classes", files(ANIMALS), ANIMALS, 36, 4),
  ("classes_of_sessions", files(["cat/a", "dog/b"]), ANIMALS, 36, 4),
  ("masked_faces", files(["with_mask", "without_mask"]), None, 36, 4),
  ("trains", files(["bullet-train", "steam-train"]), None, 36, 4),
  ("numbers", files(map(str, range(12)), 5), tuple(map(str, range(12))), 54, 6),
  ("flat", files([""]), (), 18, 2),
  ("one_class", files(["faces/celebs"]), (), 18, 2),
  # Flowers: one folder, with a sample beside it.
  ("one_class_and_loose", [*files(["faces"], 19), "x.png"], (), 18, 2),
  ("loose_beside_classes", [*files(ANIMALS), "preview.png"], ANIMALS, 36, 4),
  # Pets: pictures beside their annotations.
  (
    "annotations",
    files(["images", "annotations/trimaps"]),
    (),
    18,
    2,
  ),
  (
    "voc",
    files(["JPEGImages", "SegmentationClass", "SegmentationObject"]),
    (),
    18,
    2,
  ),
  # Carvana: masks of the training split.
  (
    "masks_of_train",
    files(["train", "train_masks"]) + files(["test"], 6),
    (),
    20,
    6,
  ),
  ("masks_in_train", divided("train", "test", ("images", "masks")), (), 20, 6),
  # FFHQ and StyleGAN's tools: numbered folders of one dataset.
  ("ffhq", numbered(["00000", "01000", "02000"]), (), 54, 6),
  ("stylegan", numbered(["00000", "00001", "00002"]), (), 54, 6),
  ("shards_with_gaps", files(["00000", "01000"]), (), 36, 4),
  # Places: classes filed by their first letter.
  (
    "initials",
    files(["data/a/abbey", "data/a/airport", "data/b/bar"]),
    ("abbey", "airport", "bar"),
    54,
    6,
  ),
  (
    "initials_and_kinds",
    files(["c/church/indoor", "c/church/outdoor", "a/abbey"]),
    ("abbey", "church/indoor", "church/outdoor"),
    54,
    6,
  ),
  # Skin lesions, chest X-rays: parts of one set of images.
  ("parts", files(["HAM_images_part_1", "HAM_images_part_2"]), (), 36, 4),
  ("numbered_images", files(["images_001/images", "images_012"]), (), 36, 4),
  # Traffic signs: the test split has the same numbers.
  ("numbered_in_both", divided("Training", "Testing", SIGNS), SIGNS, 40, 12),
  # Fruits: a set of other images is named like a split.
  (
    "another_split",
    divided("Training", "Test") + files(["test-multiple_fruits"], 5),
    ANIMALS,
    40,
    12,
  ),
  ("mini", divided("train_mini", "val"), ANIMALS, 40, 12),
  # Flowers: pictures and their segmentations.
  ("segmentations", files(["jpg"]) + files(["segmim"]), (), 18, 2),
  # COVID-19: masks in each class.
  (
    "masks_in_classes",
    files(
      [f"{name}/{each}" for name in ANIMALS for each in ("images", "masks")]
    ),
    ANIMALS,
    36,
    4,
  ),
  # Breast ultrasound: masks beside the images, in the same folder.
  (
    "masks_beside_images",
    [
      *files(ANIMALS, form="x ({}).png"),
      *files(ANIMALS, form="x ({})_mask.png"),
      "cat/x (3)_mask_1.png",
    ],
    ANIMALS,
    36,
    4,
  ),
  # DAGM: masks in a folder beside the images, in splits of each class.
  (
    "masks_in_a_folder_of_images",
    [
      *divided("Train", "Test", form="{1}/{0}"),
      *files(["cat/Train/Label", "dog/Test/Label"], 6, "{:03d}_label.png"),
      *files(["dog/Train/GT"], 6),
    ],
    ANIMALS,
    40,
    12,
  ),
  ("masks_below", files(["", "masks"]), (), 18, 2),
  # Retinas: masks and drawings of each image.
  (
    "drawings",
    [
      *files([f"{each}/images" for each in ("training", "test")]),
      *files([f"{each}/1st_manual" for each in ("training", "test")], 9),
      *files([f"{each}/mask" for each in ("training", "test")]),
    ],
    (),
    20,
    20,
  ),
  # Danbooru: an image is in the folder of its last three digits.
  (
    "last_digits",
    ["0007/1007.jpg", "0007/23007.jpg", "0123/4123.jpg", "0000/5000.jpg"],
    (),
    3,
    1,
  ),
  # Labelled faces: most people have one image, which is never held out.
  (
    "single_images",
    files(["adams", "baker", "clark", "davis"], 1) + files(["evans"], 16),
    ("adams", "baker", "clark", "davis", "evans"),
    18,
    2,
  ),
)

# Name of the case, files, and words of the error.
AMBIGUOUS = (
  ("train_beside_classes", files(["bus", "car", "train"]), "train.*bus, car"),
  ("test_beside_classes", files(["cat", "dog", "test"]), "test.*cat, dog"),
  (
    "copy_beside_splits",
    divided("train", "test") + files(["chest_xray"]),
    "chest_xray",
  ),
  ("two_train", divided("train", "test") + files(["training"]), "all named"),
  ("no_train", files(["test", "val"]), "no folder is named like train"),
  ("images_beside_others", files(["images", "drawings"]), "drawings, images"),
  # Traffic signs: numbered classes, or numbered parts.
  ("numbered", files(["00000", "00001", "00002"]), "numbered parts"),
  # Office-31: classes in each domain.
  (
    "inner_classes",
    files(["amazon/bike", "amazon/mug", "dslr/bike", "dslr/mug"]),
    "bike, mug",
  ),
  # Omniglot, super-resolution, rock-paper-scissors, Simpsons.
  ("background", files(["images_background", "images_evaluation"]), "a split"),
  ("forms", files(["X_train_HR", "X_train_LR", "X_valid_HR"]), "like a split"),
  (
    "splits_beside",
    files(["rps/rock", "rps-test-set"]),
    "test-set sounds like",
  ),
  ("testset", files(["simpsons/bart", "kaggle_simpson_testset"]), "a split"),
  # Flowers and brain scans: the classes once more in a folder beside them.
  ("copies", files([*ANIMALS, "pets/cat", "pets/dog"]), "cat, dog in pets"),
  ("kinds", files(["aves/jay", "aves/wren", "mammalia/ox"]), "jay, wren in"),
  ("formats", files(["pokemon", "pokemon_jpg"]), "forms of the same images"),
  # Faces in numbered folders, and traffic signs without some.
  ("people", files(["0000045", "0000099"]), "numbered parts"),
  ("signs", files(["00000", "00001", "00042"]), "numbered parts"),
  # Cityscapes: cities are no classes.
  (
    "cities",
    files(["train/aachen", "train/ulm", "test/bonn", "test/berlin"]),
    "aachen, ulm to train on may be no classes.*berlin, bonn",
  ),
  ("single_images", files(["ann", "bob", "cid"], 1), "has one image"),
  ("mostly_loose", files(["", *ANIMALS]), "20 images are beside"),
)


class ArrangeTest(parameterized.TestCase):
  @parameterized.named_parameters(*READ)
  def test_public_layouts(self, names, classes, num_train, num_test):
    read = image_layout.arrange(WHERE, names)
    train, test = read.splits["train"], read.splits["test"]
    self.assertLen(train, num_train)
    self.assertLen(test, num_test)
    self.assertEmpty(set(train) & set(test))
    skipped = [name for each in read.skipped.values() for name in each]
    self.assertCountEqual([*train, *test, *skipped], names)
    if classes is None:
      classes = tuple(sorted({name.split("/")[0] for name in names}))
    self.assertEqual(read.class_names, classes)
    for name, label in {**train, **test}.items():
      if not classes:
        self.assertEqual(label, NO_LABEL)
        continue
      # The class is a folder of the file, or the domain in a folder's name.
      folders = name.split("/")[:-1]
      domains = [folder[-1].lower() for folder in folders]
      kinds = ["/".join(folders[-2:])]
      self.assertIn(classes[label], [*folders, *domains, *kinds])

  @parameterized.named_parameters(*AMBIGUOUS)
  def test_nothing_is_guessed(self, names, words):
    with self.assertRaisesRegex(AmbiguousLayoutError, f"^photos: .*{words}"):
      image_layout.arrange(WHERE, names)

  @parameterized.parameters(
    ("classes", ("bus", "train"), 36, 4, 0),
    ("splits", (), 18, 2, 20),
    ("flat", (), 36, 4, 0),
  )
  def test_the_user_decides(
    self, layout, classes, num_train, num_test, num_skipped
  ):
    names = files(["bus", "train"])
    read = image_layout.arrange(WHERE, names, layout)
    self.assertEqual(read.class_names, classes)
    self.assertLen(read.splits["train"], num_train)
    self.assertLen(read.splits["test"], num_test)
    self.assertEqual(sum(map(len, read.skipped.values())), num_skipped)
    self.assertEqual(read.splits, image_layout.arrange(WHERE, names, layout)[0])

  def test_what_the_layouts_would_do(self):
    for names, choices in (
      (
        files(["bus", "train"]),
        {
          "classes": "makes bus, train classes",
          "splits": "reads train, and classes in them",
          "flat": "ignores all folders",
        },
      ),
      (
        files(["signs/00000", "signs/00042"]),
        {
          "classes": "makes 00000, 00042 classes",
          "flat": "ignores all folders",
        },
      ),
    ):
      with self.assertRaises(AmbiguousLayoutError) as raised:
        image_layout.arrange(WHERE, names)
      self.assertEqual(raised.exception.choices, choices)

  def test_no_layout_trains_on_masks(self):
    names = files(["a", "a/masks", "b"]) + files(["b"], form="{:03d}_mask.png")
    for layout in ("auto", "classes", "flat"):
      read = image_layout.arrange(WHERE, names, layout)
      self.assertLen(read.splits["train"], 36)
      self.assertEqual([*map(len, read.skipped.values())], [40])

  def test_labels_of_a_file_come_before_folders(self):
    names = numbered(["00000", "00001"])
    labels = {name: 3 * (index % 4) for index, name in enumerate(names)}
    read = image_layout.arrange(WHERE, names, labels=labels)
    self.assertEqual(read.class_names, ("0", "3", "6", "9"))
    for split in read.splits.values():
      for name, label in split.items():
        self.assertEqual(int(read.class_names[label]), labels[name])
    del labels[names[7]]
    with self.assertRaisesRegex(ImagesError, f"1 of 40.*{names[7]}"):
      image_layout.arrange(WHERE, names, labels=labels)

  def test_an_empty_class_folder_is_named(self):
    empty = ["train/bird", "other/fish", "train/cat/deep"]
    names = divided("train", "test")
    read = image_layout.arrange(WHERE, names, empty_folders=empty)
    self.assertEqual(read.empty_classes, ("bird",))
    self.assertEqual(read.class_names, ANIMALS)

  def test_where_test_images_come_from(self):
    for names, words in (
      (divided("train", "Test"), "the folder Test"),
      (divided("train", "val"), "the folder val"),
      (files(ANIMALS), "a tenth of the images"),
    ):
      self.assertStartsWith(image_layout.arrange(WHERE, names).held_out, words)

  def test_too_few_images(self):
    for names in ([], ["a.png"]):
      with self.assertRaises(ImagesError):
        image_layout.arrange(WHERE, names)


if __name__ == "__main__":
  absltest.main()
