import pytest

from sweep.ingest.lying import lying_of, plane_of
from sweep.store.geometry import UNKNOWN, Geometry
from sweep.store.slices import Slice

AXIAL = Geometry(orientation=((1.0, 0.0, 0.0), (0.0, 0.96, 0.28)))
SAGITTAL = Geometry(orientation=((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)))
CORONAL = Geometry(orientation=((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)))


def volume(geometry, *labels):
    return geometry, [Slice("k", "p", "1", frozenset(labels), "test")]


@pytest.mark.parametrize(
    ("geometry", "plane"),
    [(AXIAL, "axial"), (SAGITTAL, "sagittal"), (CORONAL, "coronal"), (UNKNOWN, None)],
)
def test_the_plane_is_that_of_the_normal(geometry, plane):
    assert plane_of(geometry) == plane


def test_volumes_of_one_plane_need_no_word():
    lying = lying_of([volume(AXIAL, "tear"), volume(AXIAL), volume(UNKNOWN)])
    assert not lying.mixed
    assert list(lying.notes()) == []


def test_mixed_planes_are_counted():
    volumes = [volume(SAGITTAL, "tear"), volume(AXIAL, "tear"), volume(AXIAL), volume(SAGITTAL)]
    lying = lying_of([*volumes, volume(AXIAL)])
    (note,) = lying.notes()
    assert "different planes: 3 axial, 2 sagittal." in note
    assert "--axis" in note


def test_a_label_that_goes_with_the_plane_is_named():
    volumes = [volume(SAGITTAL, "tear", "cyst"), volume(AXIAL, "cyst")] * 3
    _, note, *rest = lying_of(volumes).notes()
    assert not rest, "cyst is in all of both"
    assert "label 'tear' can be told from the plane" in note
    assert "100% of sagittal, 0% of axial" in note


def test_one_volume_in_a_plane_tells_nothing():
    assert len(list(lying_of([volume(SAGITTAL, "tear"), *[volume(AXIAL)] * 5]).notes())) == 1
