import h5py
import numpy as np
import pytest

from sweep.core.errors import UserError
from sweep.store import Store
from sweep.store.fingerprint import fingerprint
from sweep.store.geometry import Frame, Geometry, Sampling
from sweep.store.layout import Form, create, frame_slices
from sweep.store.slices import Slice
from sweep.store.writer import StoreWriter

SHAPE = (4, 4)
FRAMES = [Frame(3, 8, 10), Frame(3, 9, 11), Frame(3, 8, 11)]
SIZES = [(1, 8, 10), (3, 7, 9), (2, 8, 7), (1, 5, 10), (1, 1, 1)]  # odd, even; each fits each frame


def samples(row, sizes):
    parts = np.random.default_rng(row).normal(size=(2, *sizes)).astype(np.float32)
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def drafted(path, frame, kspaces):
    slices = [
        Slice(
            f"k{row}",
            f"p{row}",
            "a",
            frozenset({"lesion"}),
            "test",
            geometry=Geometry(sampling=Sampling(*kspace.shape, (0, kspace.shape[2]))),
        )
        for row, kspace in enumerate(kspaces)
    ]
    form = Form(SHAPE, ("lesion",), "multilabel", {}, kspace=frame)
    create(path, slices, form)
    with StoreWriter.open(path) as draft:
        image = np.ones(SHAPE, np.float32)
        digests = [draft.write(row, image, one, "test") for row, one in enumerate(kspaces)]
        draft.finish(fingerprint(slices, form, digests))
    return path


@pytest.mark.parametrize("frame", FRAMES)
def test_kspace_comes_back_in_its_own_sizes(frame, tmp_path):
    written = [samples(row, sizes) for row, sizes in enumerate(SIZES)]
    store = Store.open(drafted(tmp_path / "s.h5", frame, written))
    for row, kspace in enumerate(written):
        np.testing.assert_array_equal(store.kspace(row), kspace)
        assert store.kspace(row).dtype == np.complex64
        assert store.geometry(row).sampling == Sampling(*kspace.shape, (0, kspace.shape[2]))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("sizes", SIZES)
def test_dc_lies_at_the_middle_of_the_frame_and_all_else_is_zero(frame, sizes, tmp_path):
    """As any other program finds it in the file."""
    kspace = np.zeros(sizes, np.complex64)
    _, rows, columns = sizes
    kspace[:, rows // 2, columns // 2] = 1j
    with h5py.File(drafted(tmp_path / "s.h5", frame, [kspace])) as file:
        framed = file["kspace"][0]
        assert file["kspace"].chunks == (1, *frame)
    assert framed.shape == frame
    expected = np.zeros(frame, np.complex64)
    expected[: sizes[0], frame.rows // 2, frame.columns // 2] = 1j
    np.testing.assert_array_equal(framed, expected)


def test_zero_filling_leaves_every_pixel_where_it_was():
    """Zero-filling about DC interpolates: twice the size gives each old pixel at every second."""
    kspace = samples(0, (1, 8, 6))
    framed = np.zeros((1, 16, 12), np.complex64)
    framed[frame_slices(Frame(1, 16, 12), 1, 8, 6)] = kspace

    def image(of):
        shifted = np.fft.ifftshift(of, axes=(1, 2))
        return np.fft.fftshift(np.fft.ifft2(shifted), axes=(1, 2)) * of[0].size

    np.testing.assert_allclose(image(framed)[:, ::2, ::2], image(kspace), atol=1e-4)


def test_any_change_of_kspace_changes_the_fingerprint(tmp_path):
    one, other = samples(0, (1, 8, 10)), samples(0, (1, 8, 10))
    other[0, 7, 9] = np.conj(other[0, 7, 9])
    stores = [
        Store.open(drafted(tmp_path / f"{n}.h5", FRAMES[0], [kspace]))
        for n, kspace in enumerate((one, other))
    ]
    assert stores[0].fingerprint != stores[1].fingerprint
    np.testing.assert_array_equal(stores[0].images, stores[1].images)


def test_kspace_is_copied_as_it_is_stored(tmp_path):
    written = [samples(row, sizes) for row, sizes in enumerate(SIZES[:3])]
    drafted(tmp_path / "s.h5", FRAMES[0], written)
    copy = drafted(tmp_path / "copy.h5", FRAMES[0], [np.zeros_like(written[2])])
    with StoreWriter.open(tmp_path / "s.h5") as source, StoreWriter.open(copy) as draft:
        draft.copy(0, source, 2)
    np.testing.assert_array_equal(Store.open(copy).kspace(0), written[2])


def test_samples_that_are_not_finite_are_refused(tmp_path):
    kspace = samples(0, (1, 8, 10))
    kspace[0, 1, 2] = complex(0, np.inf)
    with pytest.raises(
        UserError, match="not finite numbers; received test, which has NaN or infinity; "
    ):
        drafted(tmp_path / "s.h5", FRAMES[0], [kspace])


def test_a_store_without_kspace_says_so(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    assert not store.has_kspace
    with pytest.raises(
        UserError, match=r"keeps no k-space; received .*s\.h5; ingest the data with --kspace"
    ):
        store.kspace(0)


@pytest.mark.parametrize("sizes", [(0, 8, 10), (4, 8, 10), (1, 9, 10), (1, 8, -3)])
def test_sampling_that_leaves_the_frame_is_refused(tmp_path, sizes):
    path = drafted(tmp_path / "s.h5", FRAMES[0], [samples(0, (1, 8, 10))])
    with h5py.File(path, "r+") as file:
        file["sampling"][0, :3] = sizes
    with pytest.raises(UserError, match=r"k-space of the store cannot be read; received .*s.h5"):
        Store.open(path).kspace(0)


@pytest.mark.parametrize(
    "options", [{"chunks": (1, 3, 4, 10)}, {"compression": "gzip"}, {"dtype": "<c16"}, {}]
)
def test_kspace_that_is_laid_out_otherwise_is_refused(tmp_path, options):
    path = drafted(tmp_path / "s.h5", FRAMES[0], [samples(0, (1, 8, 10))])
    with h5py.File(path, "r+") as file:
        values = file["kspace"][...]
        del file["kspace"]
        file.create_dataset("kspace", data=values, **options)
    with pytest.raises(UserError, match=r"k-space of the store cannot be read; .*'kspace'"):
        Store.open(path)
