"""How folders are read: those of public data sets, as they are when they are unpacked, and those with two readings."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from scenebook.core.errors import DatasetError
from scenebook.data.finding import check_unchanged, find_images
from scenebook.data.layout import read_split

READ = {
    # a folder a class
    "flower_photos": ("{daisy,roses,tulips} | LICENSE.txt", "3 classes: daisy, roses and tulips"),
    "PetImages": ("PetImages/{Cat,Dog} | readme.txt", "2 classes: Cat and Dog"),
    "Caltech 101": ("101_ObjectCategories/{accordion,airplanes,ant}", "3 classes: accordion, airplanes and ant"),
    "Stanford Dogs": ("Images/{n01-Chihuahua,n02-pug} | Annotation/n01-Chihuahua/n01_2.xml", "2 classes: n01"),
    "Stanford Dogs of Kaggle": ("images/Images/{n01,n02} | annotations/Annotation/n01/a.xml", "2 classes: n01 and n02"),
    "Food-101": ("food-101/images/{pho,ramen} | food-101/meta/train.txt", "2 classes: pho and ramen"),
    "CUB-200": (
        "CUB/images/{001.Albatross,002.Auk} | CUB/parts/a.txt | CUB/attributes/b.txt",
        "2 classes: 001.Albatross",
    ),
    "EuroSAT": ("2750/{AnnualCrop,Forest,River}", "3 classes: AnnualCrop, Forest and River"),
    "Animals-10": ("raw-img/{cane,gatto} | translate.py", "2 classes: cane and gatto"),
    "Rice": (
        "Rice_Image_Dataset/{Arborio,Basmati} | Rice_Image_Dataset/Citation.txt",
        "2 classes: Arborio and Basmati",
    ),
    "Weather": ("dataset/{dew,fogsmog,frost}", "3 classes: dew, fogsmog and frost"),
    "Garbage": ("Garbage classification/Garbage classification/{glass,metal} | zero.txt", "2 classes: glass and metal"),
    "TrashNet": ("dataset-resized/{glass,metal,trash}", "3 classes: glass, metal and trash"),
    "Kvasir": ("kvasir-dataset-v2/{polyps,normal-cecum}", "2 classes: normal-cecum and polyps"),
    "LFW": ("lfw-deepfunneled/lfw-deepfunneled/{Aaron_Eckhart,Abel_Pacheco}", "2 classes: Aaron_Eckhart"),
    "Chessmen": ("Chessman-image-dataset/Chess/{Bishop,King}", "2 classes: Bishop and King"),
    "COVID radiographs": (
        "COVID-19/{COVID,Normal}/{images,masks} | COVID-19/a.xlsx",
        "2 classes: COVID and Normal; not",
    ),
    "vehicles": ("{bus,car,train}", "3 classes: bus, car and train"),
    "a share of a NAS": (
        "{cat,dog,@eaDir,#recycle,$RECYCLE.BIN} | cat/@eaDir/1.jpg",
        "2 classes: cat and dog",
    ),
    "places": ("{airport,train_station,test_track}", "3 classes: airport, test_track and train_station"),
    "car models": ("Audi/{A3,A4} | BMW/{X3,X5}", "2 classes: Audi and BMW"),
    # splits
    "cats and dogs": (
        "training_set/training_set/{cats,dogs} | test_set/test_set/{cats,dogs}",
        "2 splits x 2 classes: train in training_set/training_set, test in test_set/test_set; classes cats and dogs",
    ),
    "cats and dogs of a course": (
        "dataset/{training_set,test_set}/{cats,dogs} | dataset/single_prediction/x.jpg",
        "2 splits x 2 classes: train in dataset/training_set, test in dataset/test_set; classes cats",
    ),
    "Intel": ("seg_{train,test}/seg_{train,test}/{sea,street} | seg_pred/seg_pred/x.jpg", "2 splits x 2 classes"),
    "chest X-ray": (
        "chest_xray/{train,val,test}/{NORMAL,PNEUMONIA} | chest_xray/chest_xray/{train,val,test}/{NORMAL,PNEUMONIA} | "
        "chest_xray/__MACOSX/train/NORMAL",
        "3 splits x 2 classes: train in chest_xray/train, validation in chest_xray/val, test in chest_xray/test",
    ),
    "Fruits-360": (
        "{Training,Test}/{Apple,Pear} | test-multiple_fruits/x.jpg | papers/mihai.pdf",
        "2 splits x 2 classes: train in Training, test in Test; classes Apple and Pear; not used: papers",
    ),
    "Fruits-360, packed": ("fruits-360_dataset/fruits-360/{Training,Test}/{Apple,Pear}", "2 splits x 2 classes"),
    "Imagenette": (
        "imagenette2-160/{train,val}/{n01,n02} | imagenette2-160/noisy.csv",
        "2 splits x 2 classes: train in",
    ),
    "Tiny ImageNet": (
        "tiny-imagenet-200/train/{n01,n02}/images | tiny-imagenet-200/{val,test}/images/x.jpg",
        "1 split x 2 classes: train in tiny-imagenet-200/train; classes n01 and n02; not used",
    ),
    "hymenoptera": (
        "hymenoptera_data/{train,val}/{ants,bees}",
        "2 splits x 2 classes: train in hymenoptera_data/train",
    ),
    "cats and dogs, filtered": (
        "{train,validation}/{cats,dogs} | vectorize.py",
        "2 splits x 2 classes: train in train, val",
    ),
    "Stanford Cars": ("car_data/car_data/{train,test}/{Audi,BMW} | anno_train.csv", "2 splits x 2 classes"),
    "Food-11": (
        "{training,validation,evaluation}/{Bread,Soup}",
        "3 splits x 2 classes: train in training, validation in",
    ),
    "ASL alphabet": (
        "asl_alphabet_{train,test}/asl_alphabet_{train,test}/{A,B}",
        "2 splits x 2 classes: train in asl_alphabet_train/asl_alphabet_train, test",
    ),
    "ASL alphabet, without labels": (
        "asl_alphabet_train/asl_alphabet_train/{A,B} | asl_alphabet_test/asl_alphabet_test/x.jpg",
        "1 split x 2 classes: train in asl_alphabet_train/asl_alphabet_train; classes A and B; not used",
    ),
    "GTSRB of Kaggle": (
        "Train/{0,1} | Test/x.png | Meta/x.png | Train.csv",
        "1 split x 2 classes: train in Train; classes 0 and",
    ),
    "CIFAR-10": ("cifar10/{train,test}/{cat,dog} | cifar10/labels.txt", "2 splits x 2 classes"),
    "MNIST": ("mnist_png/{training,testing}/{0,1,2}", "2 splits x 3 classes: train in mnist_png/training, test in"),
    "brain tumours": (
        "{Training,Testing}/{glioma,meningioma}",
        "2 splits x 2 classes: train in Training, test in Testing",
    ),
    "Alzheimer": ("Alzheimer_s Dataset/{train,test}/{Mild,None}", "2 splits x 2 classes"),
    "ISIC": ("Skin cancer ISIC The International/{Train,Test}/{melanoma,nevus}", "2 splits x 2 classes"),
    "moles": (
        "{train,test}/{benign,malignant} | data/{train,test}/{benign,malignant}",
        "2 splits x 2 classes: train in tr",
    ),
    "flowers 102": (
        "flower_data/{train,valid}/{1,2} | flower_data/test/x.jpg | cat_to_name.json",
        "2 splits x 2 classes",
    ),
    "birds": (
        "{train,valid,test}/{ABBOTTS BABBLER,ZEBRA DOVE} | birds.csv | model.h5",
        "3 splits x 2 classes: train in train",
    ),
    "faces, real and fake": (
        "real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake} | test.csv",
        "3 splits x 2 classes",
    ),
    "gender": (
        "{Training,Validation}/{female,male}",
        "2 splits x 2 classes: train in Training, validation in Validation",
    ),
    "expressions": (
        "images/images/{train,validation}/{angry,happy} | images/{train,validation}/{angry,happy}",
        "2 splits x 2 classes: train in images/train, validation in images/validation; classes angry",
    ),
    "monkeys": ("{training,validation}/{training,validation}/{n0,n1} | monkey_labels.txt", "2 splits x 2 classes"),
    "STL-10": (
        "{train,test}_images/{bird,cat} | unlabeled_images/x.jpg",
        "2 splits x 2 classes: train in train_images, test",
    ),
    "OCT": ("OCT2017 /{train,test,val}/{CNV,DRUSEN}", "3 splits x 2 classes: train in OCT2017 /train"),
    "hot dogs": ("hotdog-nothotdog/{train,test}/{hotdog,nothotdog}", "2 splits x 2 classes"),
    "GTSRB": (
        "GTSRB/Final_{Training,Test}/Images/{00000,00001}",
        "2 splits x 2 classes: train in GTSRB/Final_Training/Im",
    ),
    "COCO's names": (
        "{train2017,val2017}/{cat,dog}",
        "2 splits x 2 classes: train in train2017, validation in val2017",
    ),
    "YOLO's folders": ("images/{train,val}/{cat,dog} | labels/{train,val}/a.txt", "2 splits x 2 classes"),
    "a hub's folders": (
        "data/{train,validation,test}/{cat,dog} | README.md",
        "3 splits x 2 classes: train in data/train",
    ),
    "numbered": (
        "{01_train,02_dev,03_eval}/{cat,dog}",
        "3 splits x 2 classes: train in 01_train, validation in 02_dev",
    ),
    "camel case": (
        "{TrainSet,DevSet,TestSet}/{cat,dog}",
        "3 splits x 2 classes: train in TrainSet, validation in DevSet",
    ),
    "with spaces": (
        "{Train Images,Test Images (100)}/{cat,dog}",
        "2 splits x 2 classes: train in Train Images, test in",
    ),
    "one split": ("train/{cat,dog}", "1 split x 2 classes: train in train; classes cat and dog"),
    "splits in classes": ("{cat,dog}/{train,test}", "2 splits x 2 classes: train, test; classes cat and dog"),
}
"""Each with its folders, every one of which holds an image, and other files; and how the reading begins."""

REFUSED = {
    "bus, car, train with kinds": ("bus | car | train/{steam,diesel}", "splits=train:train"),
    "bus, car, test with kinds": ("bus | car | test/{steam,diesel}", "splits=train:FOLDER,test:test"),
    "dogs vs. cats": ("train | test1", "without class folders"),
    "Oxford pets": ("images | annotations/trimaps", "CSV file"),
    "images and masks": ("data/{Images,masks}", "CSV file"),
    "butterflies": ("{train,test} | Training_set.csv", "without class folders"),
    "split and class in one name": ("{train,test}_{cats,dogs}", "without class folders"),
    "only a training folder": ("train", "Put the images of each class into a folder"),
    "rock, paper, scissors": ("{rps,rps-test-set}/{paper,rock}", "splits=train:rps,test:rps-test-set"),
    "horses or humans": ("{horse-or-human,validation-horse-or-human}/{horses,humans}", "splits=train:horse-or-human"),
    "Simpsons": (
        "simpsons_dataset/{bart,lisa} | kaggle_simpson_testset/kaggle_simpson_testset/x.jpg",
        "train:simpsons_data",
    ),
    "FER 2013": ("{Training,PublicTest,PrivateTest}/{angry,happy}", "splits=train:Training"),
    "a third part": ("{train,holdback}/{cat,dog}", "splits=train:train"),
    "Office-31": ("{amazon,dslr,webcam}/images/{bike,mug}", "splits=train:amazon/images,test:dslr/images"),
    "PACS": ("{art_painting,cartoon,photo,sketch}/{dog,horse}", "splits=train:art_painting,test:cartoon"),
    "natural images": ("natural_images/{car,cat} | data/natural_images/{car,cat}", "DATA="),
    "malaria": ("cell_images/{Parasitized,Uninfected} | cell_images/cell_images/{Parasitized,Uninfected}", "DATA="),
    "plants": ("New Plants(Augmented)/New Plants(Augmented)/{train,valid}/{Apple,Corn} | test/test/x.jpg", "DATA="),
    "waste, twice": ("{DATASET,dataset/DATASET}/{TRAIN,TEST}/{O,R}", "DATA="),
    "EuroSAT, twice": ("{EuroSAT,EuroSATallBands}/{Forest,River}", "DATA="),
    "MVTec": ("{bottle,cable}/{train/good,test/good,test/broken,ground_truth/broken}", "DATA="),
    "test without train": ("{test,val}/{cat,dog}", "splits=train:FOLDER"),
    "train twice": ("{train,training,test}/{cat,dog}", "train:train,train:training,test:test"),
}
"""Each with its folders, and what the advice names."""


FILE = re.compile(r".*\.(txt|md|xml|csv|py|pdf|json|h5|xlsx|jpg|png)")


def expand(text: str) -> list[str]:
    """Returns `a/b` and `a/c` for `a/{b,c}`; braces that are alike, as in `seg_{x,y}/seg_{x,y}`, go together."""
    parts = re.split(r"(\{[^{}]*\})", text)
    braces = list(dict.fromkeys(parts[1::2]))
    chosen = itertools.product(*(brace[1:-1].split(",") for brace in braces))
    named = (dict(zip(braces, names, strict=True)) for names in chosen)
    return ["".join(one.get(part) or part for part in parts) for one in named]


def make(root: Path, layout: str) -> Path:
    """Makes folders with an image in each, and files."""
    for path in itertools.chain.from_iterable(map(expand, layout.split(" | "))):
        file = root / path if FILE.fullmatch(path) else root / path / "1.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return root


@pytest.mark.parametrize("name", READ)
def test_folders_of_public_data_sets_are_read_as_they_are_meant(tmp_path: Path, name: str) -> None:
    layout, begins = READ[name]
    found = find_images(make(tmp_path / "data", layout))
    counts = re.compile(r" \(\d+ images?\)")
    assert counts.sub("", found.layout).startswith(begins)
    check_unchanged(found)


@pytest.mark.parametrize("name", REFUSED)
def test_folders_that_can_be_read_in_two_ways_are_refused_with_how_to_say_which(tmp_path: Path, name: str) -> None:
    layout, advice = REFUSED[name]
    with pytest.raises(DatasetError) as caught:
        find_images(make(tmp_path / "data", layout))
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("splits", "layout"),
    [
        (None, "3 classes: bus, car and train (4 images)"),
        (
            "train:train",
            "1 split x 2 classes: train in train (2 images); classes diesel and steam; not used: bus and car",
        ),
    ],
)
def test_a_setting_says_which_reading_is_right(tmp_path: Path, splits: str | None, layout: str) -> None:
    root = make(tmp_path / "data", REFUSED["bus, car, train with kinds"][0])
    found = find_images(root, splits=splits)
    assert found.layout == layout
    check_unchanged(found)


@pytest.mark.parametrize(
    ("text", "classes"),
    [("bus: bus\ncar: car\ntrain: railway\n", ["bus", "car", "railway"]), ("steam: old\n", ["diesel", "old"])],
)
def test_a_class_map_that_fits_one_reading_decides(tmp_path: Path, text: str, classes: list[str]) -> None:
    root = make(tmp_path / "data", REFUSED["bus, car, train with kinds"][0])
    (tmp_path / "map.yaml").write_text(text, encoding="utf-8")
    assert find_images(root, class_map=tmp_path / "map.yaml").class_names == classes


@pytest.mark.parametrize("other", ["Café", "Cafe\u0301", "Caf\u00e9 ", "Caf\u200b\u00e9"])
def test_names_that_only_look_alike_are_told_by_their_letters(tmp_path: Path, other: str) -> None:
    make(tmp_path / "data", f"train/{{Caf\u00e9,bar}} | test/{{{other},bar}}")
    if other == "Caf\u00e9":
        assert find_images(tmp_path / "data").similar_names == []
        return
    with pytest.raises(DatasetError, match=re.escape(ascii(other))):
        find_images(tmp_path / "data")


def test_a_split_may_lie_in_several_folders_at_any_depth(tmp_path: Path) -> None:
    root = make(tmp_path / "data", "{amazon,dslr,webcam}/images/{bike,mug}")
    found = find_images(root, splits="train:amazon/images,train:dslr/images, test:webcam/images/")
    assert found.layout.startswith(
        "2 splits x 2 classes: train in amazon/images and dslr/images (4 images), test in web"
    )
    assert {image.path: image.split for image in found.images}["dslr/images/mug/1.jpg"] == "train"


@pytest.mark.parametrize(
    "splits", ["", "train", "test:webcam", "train:", "learn:amazon", "train:none", "train:amazon/none", "train:../x"]
)
def test_wrong_splits_are_refused(tmp_path: Path, splits: str) -> None:
    root = make(tmp_path / "data", "{amazon,webcam}/images/{bike,mug}")
    with pytest.raises(DatasetError, match="Expected splits"):
        find_images(root, splits=splits)


@pytest.mark.parametrize("word", ["train_station", "bullet train", "contest", "latest", "restaurant", "trial"])
def test_words_that_only_resemble_a_split_are_none(word: str) -> None:
    assert read_split(word) is None
