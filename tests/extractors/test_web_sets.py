"""VGGSound's, AudioSet's and LLP's tables, with tiny videos in their layouts."""

from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import MakeVideo

from extractors.encoders import Encoders
from extractors.errors import DataSetError
from extractors.extract import ExtractConfig, extract
from extractors.subset import subset
from extractors.web_sets import read_audioset, read_llp, read_vggsound
from mafnet.feature_set import load_feature_set

NAMES = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/0bt9lr,"Dog"\n2,/t/dd01,"Male, man"\n'
SEGMENTS = """# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=3, num_segs=3, num_unique_labels=3, num_positive_labels=5
# YTID, start_seconds, end_seconds, positive_labels
"""


@pytest.fixture
def videos(tmp_path: Path, make_video: MakeVideo) -> Path:
    for name in ("a_b-c_000030", "-xyz_000000", "Yk_4", "both_000010"):
        make_video(f"videos/{name}.mkv")
    return tmp_path / "videos"


def test_vggsounds_cuts_are_found_by_id_and_start(tmp_path: Path, videos: Path) -> None:
    table = tmp_path / "vggsound.csv"
    table.write_text(
        'a_b-c,30,"male speech, man speaking",train\n'
        "-xyz,0,dog barking,test\nnone,7,dog barking,train\n"
    )

    data = read_vggsound(table, videos)

    assert data.labels == ("dog barking", "male speech, man speaking")
    assert not data.is_multi_label
    found = {item.id: item for item in data.items}
    assert found["a_b-c_30"].path == videos / "a_b-c_000030.mkv"
    assert found["-xyz_0"].split == "test"
    assert found["none_7"].path == videos / "none_000007.mp4"  # left out with the reason
    assert "1 of 3 videos are not there" in data.remarks


def test_a_tenth_of_the_training_videos_validates(tmp_path: Path, videos: Path) -> None:
    table = tmp_path / "vggsound.csv"
    table.write_text("".join(f"v{k},0,dog,train\nv{k},10,dog,train\n" for k in range(200)))

    items = read_vggsound(table, videos).items

    n_val = sum(item.split == "val" for item in items)
    assert 20 <= n_val <= 60
    of_video: dict[str, set[str]] = {}
    for item in items:
        of_video.setdefault(item.group, set()).add(item.split)
    assert all(len(splits) == 1 for splits in of_video.values())


def audioset(tmp_path: Path) -> tuple[list[Path], Path]:
    names = tmp_path / "class_labels_indices.csv"
    names.write_text(NAMES)
    tables = [tmp_path / "balanced_train_segments.csv", tmp_path / "eval_segments.csv"]
    tables[0].write_text(
        f'{SEGMENTS}a_b-c, 30.000, 40.000, "/m/09x0r,/t/dd01"\n'
        'both, 10.000, 20.000, "/m/0bt9lr,/m/09x0r"\n'
    )
    tables[1].write_text(f'{SEGMENTS}-xyz, 0.000, 10.000, "/m/0bt9lr"\n')
    return tables, names


def test_audiosets_videos_have_all_their_labels_in_the_targets(
    tmp_path: Path, videos: Path, encoders: Encoders
) -> None:
    tables, names = audioset(tmp_path)
    data = read_audioset(tables, videos, names)
    assert data.is_multi_label
    assert data.labels == ("Dog", "Male, man", "Speech")

    extract(data, encoders, tmp_path / "to", ExtractConfig(), lambda *_: None)

    both = [load_feature_set(tmp_path / "to", split) for split in ("train", "test")]
    rows = {
        name: row
        for each in both
        if each.label_sets is not None
        for name, row in zip(each.names, each.label_sets.tolist(), strict=True)
    }
    assert rows == {
        "a_b-c_30": [False, True, True],
        "both_10": [True, False, True],
        "-xyz_0": [True, False, False],
    }
    np.testing.assert_array_equal(both[0].n_of_labels(), [1, 1, 2])


def test_labels_that_are_not_wanted_are_left_out_of_the_sets(tmp_path: Path, videos: Path) -> None:
    tables, names = audioset(tmp_path)

    data = subset(read_audioset(tables, videos, names), ["Speech"])

    assert {(item.id, item.label, item.others) for item in data.items} == {
        ("a_b-c_30", "Speech", ()),
        ("both_10", "Speech", ()),
    }


def test_llps_tables_have_their_own_validation_set(tmp_path: Path, videos: Path) -> None:
    for name, row in {
        "AVVP_train.csv": "a_b-c_30_40\tSpeech,Dog",
        "AVVP_val_pd.csv": "-xyz_0_10\tDog",
        "AVVP_test_pd.csv": "Yk_4_14\tSpeech",
    }.items():
        (tmp_path / name).write_text(f"filename\tevent_labels\n{row}\n")

    data = read_llp(tmp_path, videos)

    assert [(item.split, item.label, item.others, item.path.name) for item in data.items] == [
        ("train", "Speech", ("Dog",), "a_b-c_000030.mkv"),
        ("val", "Dog", (), "-xyz_000000.mkv"),
        ("test", "Speech", (), "Yk_4.mkv"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a_b-c,30,dog", "line 1: id, start, label and train or test are wanted"),
        ("a_b-c,soon,dog,train", "a start in seconds is wanted, got 'soon'"),
        ("a_b-c,30,dog,later", "train or test"),
    ],
)
def test_line_that_cannot_be_read_is_named(
    tmp_path: Path, videos: Path, line: str, message: str
) -> None:
    (tmp_path / "vggsound.csv").write_text(line)
    with pytest.raises(DataSetError, match=message):
        read_vggsound(tmp_path / "vggsound.csv", videos)


def test_machine_id_without_a_name_is_named(tmp_path: Path, videos: Path) -> None:
    tables, names = audioset(tmp_path)
    tables[1].write_text('-xyz, 0.000, 10.000, "/m/nothing"\n')
    with pytest.raises(DataSetError, match="'/m/nothing' is not in"):
        read_audioset(tables, videos, names)
