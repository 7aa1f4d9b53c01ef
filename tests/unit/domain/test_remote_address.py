import pytest

from shared.domain.remote_address import address_problem, parse_prefixes

PREFIXES = ("s3://bucket/in/", "file:///srv/data/")


@pytest.mark.parametrize(
    "url", ["s3://bucket/in/a.csv", "s3://bucket/in/deep/er/a b#1?.csv", "file:///srv/data/a.csv"]
)
def test_what_lies_below_a_prefix_may_be_read(url):
    assert address_problem(url, PREFIXES) is None


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/in/", "s3://bucket/in", "s3://bucket/input/a.csv", "s3://bucket/a.csv",
        "s3://other/in/a.csv", "S3://bucket/in/a.csv", "s3://bucket/in/../out/a.csv",
        "s3://bucket/in/./a.csv", "s3://bucket/in//a.csv", "s3://bucket/in/%2e%2e/a.csv",
        "s3://bucket/in/a%2Fb", "s3://bucket/in/deep/", "s3://bucket/in/a\\..\\b",
        "s3://bucket/in/a\nb", " s3://bucket/in/a.csv", "s3://bucket/in/a::file:///etc/passwd",
        "simplecache::s3://bucket/in/a.csv", "file://srv/data/a.csv", "file:///srv/data/../x",
        "file:///etc/passwd", "file:/srv/data/a.csv", "/srv/data/a.csv", "memory://a", "",
        "s3://bucket/in/" + "a" * 4_000,
    ],
)  # fmt: skip
def test_everything_else_may_not(url):
    assert address_problem(url, PREFIXES)


def test_no_prefix_allows_nothing():
    assert address_problem("s3://bucket/in/a.csv", ())


def test_prefixes_are_a_list_with_commas():
    assert parse_prefixes(" s3://bucket/in/, file:///srv/data/ ,") == PREFIXES
    assert parse_prefixes("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/in", "bucket/in/", "https://files.example/", "s3:///", "file://host/",
        "file:///", "s3://bucket/../", "a::s3://bucket/",
    ],
)  # fmt: skip
def test_a_prefix_that_would_allow_more_than_it_seems_is_refused(text):
    with pytest.raises(ValueError, match=r".+: .+"):
        parse_prefixes(text)
