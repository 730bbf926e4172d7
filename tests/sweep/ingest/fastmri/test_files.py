import os

import pytest

from sweep.core.errors import UserError
from sweep.ingest.fastmri.files import find_volumes, volume_name


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    "text",
    ["file1000001", "file1000001.h5", " file1000001.h5\r", "file1000001.H5", "file1000001.HDF5"],
)
def test_a_name_is_written_with_or_without_suffix(text):
    assert volume_name(text) == "file1000001"


def test_volumes_are_found_below_all_folders_in_order_of_their_names(tmp_path):
    paths = {
        "b": touch(tmp_path / "one" / "b.h5"),
        "a": touch(tmp_path / "two" / "deep" / "er" / "a.h5"),
        "c": touch(tmp_path / "one" / "deep" / "c.h5"),
    }
    touch(tmp_path / "one" / "notes.txt")
    (tmp_path / "two" / "folder.h5").mkdir()
    found = find_volumes([tmp_path / "two", tmp_path / "one"])
    assert list(found.volumes.items()) == sorted(paths.items())
    assert found.others == {"*.txt": 1}


def test_links_are_followed_and_a_loop_ends(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    touch(outside / "far" / "b.h5")
    touch(inside / "a.h5")
    (inside / "linked").symlink_to(outside)
    (outside / "far" / "back").symlink_to(inside)
    (inside / "self").symlink_to(inside)
    assert list(find_volumes([inside]).volumes) == ["a", "b"]


def test_a_folder_named_twice_is_read_once(tmp_path):
    touch(tmp_path / "sub" / "a.h5")
    assert len(find_volumes([tmp_path, tmp_path / "sub", tmp_path]).volumes) == 1


def test_a_link_that_leads_nowhere_is_found_for_its_header_to_be_refused(tmp_path):
    (tmp_path / "a.h5").symlink_to(tmp_path / "a.h5")
    assert list(find_volumes([tmp_path]).volumes) == ["a"]


def test_a_name_twice_is_refused(tmp_path):
    touch(tmp_path / "train" / "a.h5")
    touch(tmp_path / "val" / "a.h5")
    message = r"same name, .*; received .*train/a\.h5 and .*val/a\.h5; remove or rename"
    with pytest.raises(UserError, match=message):
        find_volumes([tmp_path])


def test_a_path_that_is_no_folder_is_refused(tmp_path):
    path = touch(tmp_path / "a.h5")
    message = r"no such folder of volumes; received .*a\.h5, .*none; correct the path"
    with pytest.raises(UserError, match=message):
        find_volumes([path, tmp_path / "none"])


def test_no_volume_at_all_is_refused_with_what_is_there_instead(tmp_path):
    touch(tmp_path / "a.nii")
    touch(tmp_path / ".DS_Store")
    message = rf"a file \*\.h5 or \*\.hdf5, in .*; received {tmp_path} \(with 1 \*\.nii\); name"
    with pytest.raises(UserError, match=message):
        find_volumes([tmp_path])


def test_every_usual_suffix_is_found_and_other_files_are_counted(tmp_path):
    for name in ("a.h5", "b.H5", "c.hdf5", "d.HDF5", "e.txt", "f.txt", "LICENSE", "Thumbs.db"):
        touch(tmp_path / name)
    found = find_volumes([tmp_path])
    assert list(found.volumes) == ["a", "b", "c", "d"]
    assert found.others == {"*.txt": 2, "without a suffix": 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_a_folder_that_cannot_be_read_is_refused(tmp_path):
    touch(tmp_path / "closed" / "a.h5")
    (tmp_path / "closed").chmod(0)
    try:
        with pytest.raises(
            UserError, match=r"closed \(PermissionError: Permission denied\); correct"
        ):
            find_volumes([tmp_path])
    finally:
        (tmp_path / "closed").chmod(0o700)
