import csv

import pytest

from sweep.ingest.fastmri.header import Header, parse_header
from tests.support.data import FASTMRI_PLUS, needs

XML = """<ismrmrdHeader{namespace}><encoding>
<encodedSpace><matrixSize><x>640</x><y>368</y><z>1</z></matrixSize></encodedSpace>
<reconSpace>
<matrixSize><x>{rows}</x><y>{columns}</y><z>1</z></matrixSize>
<fieldOfView_mm><x>{height_mm}</x><y>{width_mm}</y><z>{depth_mm}</z></fieldOfView_mm>
</reconSpace>
<encodingLimits><kspace_encoding_step_1>
<minimum>{first}</minimum><maximum>{last}</maximum><center>{center}</center>
</kspace_encoding_step_1></encodingLimits></encoding></ismrmrdHeader>"""
USUAL = {
    "namespace": ' xmlns="http://www.ismrm.org/ISMRMRD"',
    "rows": 320,
    "columns": 320,
    "height_mm": 160,
    "width_mm": 140,
    "depth_mm": 3,
    "first": 0,
    "last": 331,
    "center": 166,
}


def header(**changes):
    return XML.format(**(USUAL | changes))


def test_rows_lie_along_x_and_columns_along_y():
    found = parse_header(header(rows=320, columns=280))
    assert found.matrix == (320, 280)
    assert found.pixel_mm == (0.5, 0.5)
    assert found.thickness_mm == 3
    assert found.acquired(368) == (18, 350)


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://example.org/other"'])
@pytest.mark.parametrize("encode", [str, str.encode, lambda text: f"<?xml version='1.0'?>{text}"])
def test_namespace_and_kind_of_text_do_not_matter(namespace, encode):
    assert parse_header(encode(header(namespace=namespace))) == parse_header(header())


@pytest.mark.parametrize(
    "text",
    [
        "",
        b"",
        "no xml",
        "<ismrmrdHeader>",
        "<other/>",
        header()[:200],
        b"\xff\xfe\x00<",
        b"<?xml version='1.0' encoding='utf-7'?><a/>",
        b"<?xml version='1.0' encoding='no-such'?><a/>",
    ],
)
def test_a_broken_header_says_nothing(text):
    found = parse_header(text)
    assert found == Header()
    assert found.acquired(368) == (0, 368)


@pytest.mark.parametrize("odd", ["", "wide", "nan", "inf", "0", "-140", "1e999"])
def test_an_odd_length_is_unknown_and_the_rest_is_not(odd):
    found = parse_header(header(width_mm=odd))
    assert found.pixel_mm is None
    assert (found.matrix, found.thickness_mm) == ((320, 320), 3)
    assert parse_header(header(depth_mm=odd)).thickness_mm is None


@pytest.mark.parametrize("odd", ["", "0", "-320", "320.5", "nan", "10000000000"])
def test_an_odd_matrix_is_unknown(odd):
    found = parse_header(header(rows=odd))
    assert (found.matrix, found.pixel_mm) == (None, None)


@pytest.mark.parametrize(
    ("columns", "changes", "lines"),
    [
        (372, {"last": 334, "center": 167}, (19, 354)),
        (370, {"last": 369, "center": 185}, (0, 370)),
        (409, {"last": 331, "center": 166}, (38, 370)),
        (400, {}, (34, 366)),  # the same lines in a matrix zero-filled about DC
        (300, {}, (0, 300)),  # in a matrix cut about DC
        (368, {"first": 10}, (28, 350)),
        (368, {"center": 300}, (0, 216)),
        (368, {"center": 9000}, (0, 368)),  # none inside the matrix: the header errs
        (368, {"last": -5}, (0, 368)),
        (368, {"last": "nan"}, (0, 368)),
        (368, {"center": ""}, (0, 368)),
    ],
)
def test_acquired_lines_are_counted_from_dc(columns, changes, lines):
    assert parse_header(header(**changes)).acquired(columns) == lines


@needs(FASTMRI_PLUS)
def test_real_limits_have_dc_among_the_acquired_lines():
    with (FASTMRI_PLUS / "knee_acquisitions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1394
    limits = "encoding.encodingLimits.kspace_encoding_step_1"
    for row in rows:
        columns = int(row["encoding.encodedSpace.matrixSize.y"])
        last, center = int(row[f"{limits}.maximum"]), int(row[f"{limits}.center"])
        start, stop = parse_header(header(last=last, center=center)).acquired(columns)
        assert 0 <= start < columns // 2 < stop <= columns
        assert stop - start == last + 1
