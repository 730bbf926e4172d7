"""URIs: one form for each folder, and never a secret in one."""

from pathlib import Path

import pytest

from sweep.core.errors import UserError
from sweep.remote.address import uri_of


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("s3://bucket/a/run", "s3://bucket/a/run"),
        ("s3://bucket//a/./run/", "s3://bucket/a/run"),
        ("S3://bucket/run", "s3://bucket/run"),
        ("abfs://box@account.dfs.core.windows.net/run", None),
        ("file:///tmp/bucket/run", "file:///tmp/bucket/run"),
        ("gs://bucket/my run", "gs://bucket/my run"),
    ],
)
def test_a_folder_has_one_uri_whether_it_is_given_as_a_text_or_as_a_path(
    given: str, meant: str | None
) -> None:
    assert uri_of(given) == (meant or given)
    assert uri_of(Path(given)) == (meant or given)


@pytest.mark.parametrize("given", ["s3://", "S3:/", "gs:", "s3://bucket", "file:///"])
def test_a_uri_of_no_folder_is_refused_as_one(given: str) -> None:
    for place in (given, Path(given)):
        with pytest.raises(UserError, match=r"names no folder in a bucket; received '\w+://"):
            uri_of(place)


@pytest.mark.parametrize("given", ["sweeps/one", "/sweeps/one", ".", "C:/sweeps/one", "a:b"])
def test_a_path_is_none(given: str) -> None:
    assert uri_of(given) is None


@pytest.mark.parametrize(
    "given",
    [
        "s3://AKIA123:s3cr3t@bucket/run",
        "s3://AKIA123@bucket/run",
        "abfs://account:s3cr3t@box/run",
        "s3://bucket/run?secret_key=s3cr3t",
        "gs://bucket/run#s3cr3t",
    ],
)
def test_a_secret_in_a_uri_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(UserError) as refused:
        uri_of(given)
    assert not {"AKIA123", "s3cr3t"} & set(str(refused.value).replace(":", "@").split("@"))
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("given", ["s3://bucket", "s3://bucket/../x", "http://host/run", "s3:///"])
def test_what_names_no_folder_in_a_bucket_is_refused(given: str) -> None:
    with pytest.raises(UserError):
        uri_of(given)
