"""Lists of images and class maps: what people write by hand, with every mistake named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.cli.loading import collect_settings
from scenebook.cli.parser import build_parser
from scenebook.core.errors import DatasetError, SettingsError
from scenebook.data.finding import check_unchanged, find_images
from scenebook.data.images import check_source, source_name
from scenebook.notebook.prose.data import tell_found
from tests.conftest import MakeFolder, write_image

CATS_AND_DOGS = {"cat": 3, "dog": 3}


def write_list(root: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def root(make_folder: MakeFolder) -> Path:
    return make_folder(CATS_AND_DOGS)


ROWS = "cat/000.png,whiskers\ncat/001.png,whiskers\ndog/000.png,bark\n"


def test_a_list_names_images_and_their_labels(root: Path) -> None:
    found = find_images(write_list(root, "path,label\n" + ROWS))
    assert [(image.path, image.label, image.split) for image in found.images] == [
        ("cat/000.png", "whiskers", None),
        ("cat/001.png", "whiskers", None),
        ("dog/000.png", "bark", None),
    ]
    assert found.root == root
    said = [text.format(**values) for text, values in tell_found(found)]
    assert len(said) == 1
    assert "labels.csv" in said[0]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfpath,label\r\n" + ROWS.replace("\n", "\r\n").encode(),
        "path;label\n" + ROWS.replace(",", ";"),
        "path\tlabel\n" + ROWS.replace(",", "\t"),
        "\n Label , extra, PATH\nwhiskers,1,cat/000.png\nwhiskers,,cat/001.png\n\nbark,,dog/000.png",
        "path,label\n" + ROWS.replace("/", "\\"),
        'path,label\n"cat/000.png","whiskers"\n./cat/001.png, whiskers \ncat/../dog/000.png,bark\n'.replace(
            "cat/..", "."
        ),
    ],
    ids=["byte order mark", "semicolons", "tabs", "other columns", "backslashes", "quotes"],
)
def test_lists_as_spreadsheets_write_them(root: Path, text: str | bytes) -> None:
    found = find_images(write_list(root, text))
    assert [(image.path, image.label) for image in found.images] == [
        ("cat/000.png", "whiskers"),
        ("cat/001.png", "whiskers"),
        ("dog/000.png", "bark"),
    ]


def test_a_column_split_is_used(root: Path) -> None:
    rows = f"path,label,split\ncat/000.png,a,train\n{root}/cat/001.png,a,Test\ndog/000.png,b,train\ndog/001.png,b,val\n"
    found = find_images(write_list(root, rows))
    assert [image.split for image in found.images] == ["train", "test", "train", "validation"]
    assert found.images[1].path == "cat/001.png"


def test_missing_images_are_set_aside_with_their_line_and_repeated_rows_count_once(root: Path) -> None:
    rows = ROWS + "cat/gone.png,whiskers\ncat/000.png,whiskers\ncat,whiskers\n"
    found = find_images(write_list(root, "path,label\n" + rows))
    assert found.set_aside == [
        ("cat/gone.png", "line 5: there is no such file"),
        ("cat", "line 7: a folder, no image"),
    ]
    assert found.repeated == 1
    assert len(found.images) == 3
    ((text, values),) = tell_found(found)
    assert "1 row of it repeats another and counts once." in text.format(**values)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "/etc/passwd,a\n",
            r"list's folder\. Received: file='.*labels\.csv', line=2, path='/etc/passwd'\. Put the list",
        ),
        ("../x.png,a\n", r"line=2, path='\.\./x\.png'"),
        ("cat/../../x.png,a\n", r"line=2"),
        ("..\\x.png,a\n", r"in the list's folder"),
        ("C:\\x.png,a\n", r"in the list's folder"),
        ("\\\\host\\share\\x.png,a\n", r"in the list's folder"),
        ("cat/000.png,a\ncat/001.png,\n", r"a label in every row.*line=3, path='cat/001\.png'"),
        (",a\n", r"an image's path.*line=2"),
        ("cat/000.png,a\ncat/000.png,b\n", r"one label for each image.*line=3.*label='b', label on line 2='a'"),
        ("cat/000.png,a,b\n", r"Expected 2 cells in every row.*line=2, cells=3.*in quotes"),
        ('"cat/000.png,a\n', r"comma-separated values.*line=2"),
        ("gone.png,a\n", r"images that are there.*rows=1, first='gone\.png'"),
        ("", r"images that are there.*rows=0"),
        ("cat/000.png,a\ncat/001.png,a\n", r"The only class is 'a'"),
    ],
)
def test_a_wrong_row_is_named(root: Path, rows: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        find_images(write_list(root, "path,label\n" + rows))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\ncat/000.png,cat\ncat/000.png,dog\n", r"one label for each image.*several labels"),
        ("path,label\ncat/000.png,cat|dog\ncat/001.png,cat\ndog/000.png,dog\n", r"label='cat\|dog'.*several labels"),
        ("path,label\ngone.png,cat|dog\ngone.jpg,cat\n", r"label='cat\|dog'.*several labels"),
        ('path,label\ncat/000.png,"a, b"\ncat/001.png,"a, c"\ndog/000.png,"b;c"\n', r"labels with several in them=3"),
        ("path,label\ncat/000.png,\"['cat', 'dog']\"\ncat/001.png,['cat']\n", r"several labels"),
        ("path,label\ncat/000.png,cat dog\ncat/001.png,dog cat\ndog/000.png,dog\ndog/001.png,cat\n", r"several labels"),
        ("path,cat,dog\ncat/000.png,1,0\ncat/001.png,1,1\n", r"columns=\['cat', 'dog'\].*several labels"),
        ("path,label,label2\ncat/000.png,cat,dog\n", r"columns=\['label', 'label2'\].*several labels"),
    ],
    ids=["two rows", "bar", "bar beside one", "comma", "list", "space", "columns of 0 and 1", "second column"],
)
def test_images_of_several_labels_are_refused(root: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        find_images(write_list(root, text))


def test_names_of_classes_may_have_commas_and_spaces_and_other_columns_may_hold_0_and_1(root: Path) -> None:
    rows = '"goldfish, Carassius auratus",1,0\n', '"tench, Tinca tinca",0,1\n', "New York,0,0\n", "York,1,1\n"
    paths = ("cat/000.png", "cat/001.png", "dog/000.png", "dog/001.png")
    text = "".join(f"{path},{row}" for path, row in zip(paths, rows, strict=True))
    assert len(find_images(write_list(root, f"path,label,flipped,indoors\n{text}")).class_names) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"with the columns path, label and, if wanted, split\. Received: file=.*header=\[\]"),
        (b"file,class\nx,y\n", r"header=\['file', 'class'\]"),
        (b"path,label,label\nx,y,z\n", r"each once"),
        ("path,label\n".encode("utf-16"), r"in UTF-8\. Received: .*UTF-16 or binary"),
        (b"path,label\ncat/000.png,caf\xe9\n", r"in UTF-8\. Received: .*line=2.*CSV UTF-8"),
        (b"path,label\ncaf\xe9.png,a\n", r"in UTF-8\. Received: .*line=2"),
        (b"path,label,split\ncat/000.png,a,later\n", r"train, validation or test.*line=2, split='later'"),
        (b"path,label,split\ncat/000.png,a,\n", r"train, validation or test.*line=2, split=''"),
        (b"path,label\n" + b"x" * 200_000 + b",a\n", r"comma-separated values.*field larger"),
    ],
)
def test_a_wrong_file_is_named(root: Path, content: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        find_images(write_list(root, content))


def test_a_name_that_is_no_utf8_is_fine_where_the_file_is_there(root: Path) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    try:
        write_image(root / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = find_images(write_list(root, b"path,label\ncaf\xe9.png,a\ncat/000.png,b\n"))
    assert [image.path for image in found.images] == [name, "cat/000.png"]


def test_a_link_on_the_way_may_not_leave_the_lists_folder(root: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "elsewhere" / "secret.png")
    (root / "out").symlink_to(tmp_path / "elsewhere")
    found = find_images(write_list(root, "path,label\nout/secret.png,a\n" + ROWS))
    assert found.set_aside == [("out/secret.png", "line 2: a link that leaves the folder")]


def test_a_list_that_changes_is_noticed(root: Path) -> None:
    path = write_list(root, "path,label\n" + ROWS)
    found = find_images(path)
    write_list(root, "path,label\n" + ROWS + "dog/001.png,bark\n")
    with pytest.raises(DatasetError, match=r"added=\['dog/001\.png'\]"):
        check_unchanged(found)
    first, *_ = found.images
    write_list(root, "path,label\n" + ROWS.replace(f"{first.path},{first.label}", f"{first.path},other"))
    with pytest.raises(DatasetError, match=rf"changed=\['{first.path}'\]"):
        check_unchanged(found)


def test_a_data_set_is_a_folder_or_a_list(root: Path) -> None:
    assert check_source(write_list(root, "x")) == root / "labels.csv"
    assert source_name(root / "labels.csv") == "labels"
    assert source_name(root) == "images"
    with pytest.raises(DatasetError, match=r"a list's name ends with \.csv"):
        check_source(write_list(root, "x", "labels.txt"))


# Class maps


def classes_of(root: Path, text: str, name: str = "map.yaml") -> dict[str, int]:
    write_list(root.parent, text, name)
    found = find_images(root, class_map=root.parent / name)
    labels = [image.label for image in found.images]
    return {label: labels.count(label) for label in found.class_names}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cat: pet\ndog: pet\nemu: null\n", "map.yaml"),
        ("{cat: pet, dog: pet, emu: ~}", "map.yml"),
        ("folder,class\ncat,pet\ndog,pet\nemu,\n", "map.csv"),
        ("cat: pet\ndog: pet\n007: '007'\n'*': null\n", "map.yaml"),
    ],
)
def test_a_class_map_merges_renames_and_leaves_out(make_folder: MakeFolder, text: str, name: str) -> None:
    root = make_folder({"cat": 2, "dog": 3, "emu": 1, "007": 1})
    assert classes_of(root, text, name) == {"007": 1, "pet": 5}
    found = find_images(root, class_map=root.parent / name)
    assert found.merged == {"pet": ["cat", "dog"]}
    assert found.left_out == {"emu": 1}
    said = " ".join(line.format(**values) for line, values in tell_found(found))
    assert "pet (from cat and dog)" in said
    assert "leaves out: emu (1 image)" in said
    check_unchanged(found)


def test_names_in_a_class_map_stay_as_they_are_written(make_folder: MakeFolder) -> None:
    root = make_folder({"no": 1, "1.0": 1, "0x10": 1})
    assert classes_of(root, "no: yes\n1.0: 2.50\n0x10: null\n") == {"2.50": 1, "yes": 1}


def test_an_empty_folder_can_be_left_out(make_folder: MakeFolder) -> None:
    assert classes_of(make_folder({"cat": 1, "dog": 1, "emu": 0}), "emu: null") == {"cat": 1, "dog": 1}


def test_a_class_map_holds_for_the_labels_of_a_list(root: Path) -> None:
    path = write_list(root, "path,label\n" + ROWS + "dog/001.png,growl\n")
    write_list(root, "growl: bark\n", "map.yaml")
    assert find_images(path, class_map=root / "map.yaml").class_names == ["bark", "whiskers"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat: pet\ndgo: pet\n", r"to name folders.*file='.*map\.yaml', line=2, name='dgo'\. Did you mean dog\?"),
        ("cat: pet\nzzz: pet\n", r"line=2, name='zzz'\. There are: cat, dog"),
        ("cat: a\ncat: b\n", r"class map once.*key='cat', line=2, first in line=1"),
        ("'*': pet\n", r"Expected null for \*.*line=1, class='pet'"),
        ("cat: [a, b]\n", r"`folder: class` lines.*line=1"),
        ("cat: ''\n", r"a class's name, or null.*line=1"),
        ("- cat\n", r"`folder: class` lines"),
        ("", r"`folder: class` lines"),
        ("cat: 'a\n", r"class map in YAML"),
        ("[" * 5_000, r"class map in YAML"),
        ("cat: null\n", r"The only class is 'dog'"),
    ],
)
def test_a_wrong_class_map_is_named_with_its_line(root: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        classes_of(root, text)


def test_the_command_line_takes_a_list_and_a_class_map(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    rows = [f"{label}/{number:03d}.png,{label}\n" for label in ("cat", "dog") for number in range(3)]
    for label in ("cat", "dog"):
        write_image(root / label / "002.png", len(label) + ord(label[0]))
    write_list(root, "path,label\n" + "".join(rows), "my labels.csv")
    write_list(root, "dog: hound\n", "map.yaml")
    arguments = build_parser().parse_args(["report", "--dataset", "my labels.csv", "--set", "class_map=map.yaml"])
    settings, profile, run_dir = collect_settings(arguments, root)
    assert (settings.dataset, settings.class_map) == (str(root / "my labels.csv"), str(root / "map.yaml"))
    assert (profile, run_dir.name) == ("recommended", "my-labels")
    write_list(root, "dgo: hound\n", "map.yaml")
    with pytest.raises(DatasetError, match=r"line=1, name='dgo'\. Did you mean dog\?"):
        collect_settings(arguments, root)
    (root / "map.yaml").unlink()
    with pytest.raises(SettingsError, match=r"class_map to be an existing file"):
        collect_settings(arguments, root)


def test_a_class_map_that_is_not_there_is_an_error(root: Path) -> None:
    with pytest.raises(DatasetError, match="readable class map"):
        find_images(root, class_map=root / "none.yaml")
