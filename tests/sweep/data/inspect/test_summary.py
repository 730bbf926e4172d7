from dataclasses import replace

from sweep.data.inspect.summary import SplitSummary, summarize


def test_counts_are_by_split(content, tmp_path):
    summary = summarize(content.write(tmp_path / "s.h5"))
    assert summary.splits == (
        SplitSummary("2", patients=1, slices=2, labels=(1, 2)),
        SplitSummary("train", patients=2, slices=3, labels=(1, 0)),
    )
    assert summary.total == SplitSummary("all", patients=3, slices=5, labels=(2, 2))
    assert summary.shape == (4, 6)


def test_counts_pass_the_range_of_the_labels_type(content, tmp_path):
    one = content.slices[0]
    many = replace(
        content,
        slices=tuple(replace(one, key=f"ann/{number}") for number in range(300)),
        images=content.images[:1] * 300,
    )
    assert summarize(many.write(tmp_path / "s.h5")).total.labels == (300, 0)


def test_the_table_shows_every_count_in_columns(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    title, head, *rows, last = summarize(store).text().splitlines()
    assert title == f"{store.path}: multilabel, 4 x 6"
    assert head.split() == ["split", "patients", "slices", "tear", "cyst"]
    assert [row.split() for row in rows] == [
        ["2", "1", "2", "1", "2"],
        ["train", "2", "3", "1", "0"],
        ["all", "3", "5", "2", "2"],
    ]
    assert len({len(row) for row in (head, *rows)}) == 1
    assert store.fingerprint in last
