import pytest

from shared.tables.arrow import batch_to_rows
from shared.tables.readers.batches import cut_batches
from tests import files


def types(table):
    return {column.name: column.type for column in table.columns}


def test_elements_that_repeat_are_rows_and_their_parts_typed_columns(kit):
    data = b"""<?xml version="1.0"?><people xmlns="urn:x">
      <person id="1"><name>Ann</name><born>1980-02-28</born><zip>01234</zip></person>
      <person id="2"><name>Bob &amp; Co</name><born/><zip>99999</zip><note>new</note></person>
    </people>"""

    assert kit.rows(data, "people.xml") == [
        {"id": 1, "name": "Ann", "born": "1980-02-28", "zip": "01234", "note": None},
        {"id": 2, "name": "Bob & Co", "born": None, "zip": "99999", "note": "new"},
    ]
    assert types(kit.table(data, "people.xml")) == {
        "id": "integer", "name": "string", "born": "date", "zip": "string", "note": "string",
    }  # fmt: skip


def test_rows_are_found_below_the_elements_that_describe_them(kit):
    data = b"""<rss><channel><title>News</title><link>x</link>
      <item><title>One</title><tag>a</tag><tag>b</tag></item>
      <item><title>Two</title><tag>c</tag></item></channel></rss>"""

    assert kit.rows(data, "feed.rss") == [
        {"title": "One", "tag": ["a", "b"]},
        {"title": "Two", "tag": "c"},
    ]


def test_an_attribute_named_like_an_element_keeps_its_mark(kit):
    data = b'<r><i id="1" n="5"><id>x</id></i><i id="2"><id>y</id></i></r>'

    assert kit.rows(data, "a.xml") == [
        {"@id": 1, "n": 5, "id": "x"},
        {"@id": 2, "n": None, "id": "y"},
    ]


def test_what_is_nested_is_json(kit):
    data = b'<r><i><at x="1">here</at></i><i><at>there</at></i></r>'

    assert kit.rows(data, "a.xml") == [{"at": {"@x": "1", "text": "here"}}, {"at": "there"}]


def test_prose_is_one_document(kit):
    data = b"""<article><title>On   rows</title>
      <section><para>Some <b>bold</b> text.</para><para>More.</para></section>
      <section><para>Last <i>words</i>.</para></section></article>"""

    assert kit.rows(data, "a.xml") == [
        {
            "name": "a.xml",
            "title": "On rows",
            "text": "On rows\nSome bold text.\nMore.\nLast words.",
        }
    ]


def test_repeated_elements_of_text_alone_are_a_document(kit):
    assert kit.rows(b"<doc><p>One.</p><p>Two.</p></doc>", "a.xml") == [
        {"name": "a.xml", "title": None, "text": "One.\nTwo."}
    ]


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_charset_is_what_the_file_declares(kit, charset):
    text = f"<?xml version='1.0' encoding='{charset}'?><d><p>Grüße</p></d>"

    assert kit.rows(text.encode(charset), "a.xml")[0]["text"] == "Grüße"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<a><b></a>", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"no markup", "not well-formed"),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "not well-formed"),
        (b"<?xml version='1.0' encoding='utf-8'?><a>\xff</a>", "not well-formed"),
        (b"<a>" * 100_000, "nested deeper"),
        (files.xml_bomb(), "entities"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "entities"),
        (b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]><a/>', "entities"),
    ],
)
def test_xml_that_is_broken_or_hostile_is_refused(kit, data, reason):
    refused = kit.refusal(data, "a.xml")

    assert refused.code == "unreadable"
    assert reason in refused.detail


def test_a_document_type_alone_is_no_harm(kit):
    data = b'<!DOCTYPE d SYSTEM "d.dtd"><d><p>text</p></d>'

    assert kit.rows(data, "a.xml")[0]["text"] == "text"


def test_too_many_columns_are_refused_and_a_row_too_long_is_counted(kit):
    wide = "".join(f"<c{n}>x</c{n}>" for n in range(50))
    assert kit.refusal(
        f"<r><i>{wide}</i><i a='1'/></r>".encode(), "a.xml", max_columns=40
    ).code == ("too_many_columns")
    long = b"<r><i><t>%s</t></i><i><t>ok</t></i></r>" % (b"x" * 2_000)
    table = kit.table(long, "a.xml", row_bytes=1_000)
    rows = [row for batch in cut_batches(table) for row in batch_to_rows(batch)]
    assert rows == [{"t": "ok"}]
    assert table.tally.unreadable == 1


def test_many_rows_come_in_many_batches(kit):
    data = b"<r>%s</r>" % b"".join(b'<i n="%d"><t>text</t></i>' % n for n in range(30_000))

    rows = kit.rows(data, "a.xml")

    assert len(rows) == 30_000
    assert rows[-1] == {"n": 29_999, "t": "text"}
