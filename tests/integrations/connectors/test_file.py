"""Files are opened strictly: what is broken is refused in words, with its row."""

import io
import zipfile
from datetime import datetime

import pytest
from openpyxl import Workbook

from integrations.choices import describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.connectors.file import read_table

MEGABYTE = 1024 * 1024


@pytest.fixture
def write(tmp_path):
    def run(content, name="deals.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return run


@pytest.fixture
def workbook(tmp_path):
    def run(rows, name="deals.xlsx", sheet="Sheet1"):
        book = Workbook()
        book.active.title = sheet
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / name)
        return tmp_path / name

    return run


def read(path, **options):
    return read_table(path, **{"name": path.name, "max_bytes": 50 * MEGABYTE, **options})


def refusal(path, **options):
    with pytest.raises(ConnectorError) as caught:
        read(path, **options)
    sentence = describe_problem(caught.value.code, caught.value.params)
    assert path.name in sentence
    assert caught.value.kind == "data"
    assert caught.value.permanent
    return caught.value.code, caught.value.params


class TestEncodings:
    @pytest.mark.parametrize(
        ("encoding", "named"),
        [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("cp932", "cp932")],
    )
    def test_reads_japanese_in_each(self, write, encoding, named):
        table = read(write("取引先,金額\n㈱髙橋商会,1000\n".encode(encoding)))
        assert table.headings == ("取引先", "金額")
        assert [row.cells["取引先"] for row in table.rows()] == ["㈱髙橋商会"]
        assert table.encoding == named

    def test_names_the_row_of_a_broken_byte(self, write):
        text = "取引先,金額\n東京商事,1\n大阪商事,2\n".encode()
        broken = text[:-9] + b"\xff" + text[-9:]
        code, params = refusal(write(broken))
        assert (code, params["row"], params["encoding"], params["byte"]) == ("broken_encoding", 3, "UTF-8", "FF")

    def test_names_the_row_of_a_broken_byte_in_cp932(self, write):
        code, params = refusal(write("取引先,金額\n東京商事,1\n".encode("cp932") + b"\x81,2\n"))
        assert (code, params["row"], params["encoding"]) == ("broken_encoding", 3, "Shift_JIS (CP932)")

    def test_refuses_bytes_that_no_japanese_text_has(self, write):
        code, params = refusal(write("取引先,金額\n東京".encode("cp932") + b"\xfd,1\n"), encoding="cp932")
        assert (code, params["row"]) == ("broken_encoding", 2)

    def test_refuses_utf16(self, write):
        assert refusal(write("取引先,金額\n東京,1\n".encode("utf-16")))[0] == "utf16_file"

    def test_counts_rows_as_a_spreadsheet_does(self, write):
        broken = '取引先,備考\n東京,"二行\nの備考"\n'.encode() + b"\xe5\x81,x\n"
        assert refusal(write(broken))[1]["row"] == 3


class TestFileTypes:
    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"%PDF-1.7 ...", "PDF"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
            (b"\x89PNG\r\n\x1a\n", "PNG"),
            (b"<html><table><tr><td>a</td></tr></table>", "HTML"),
            (b"a\x01\x00\x02,b\n1,\x00\n", "binary"),
        ],
    )
    def test_refuses_what_only_calls_itself_csv(self, write, content, found):
        code, params = refusal(write(content))
        assert (code, params["found"]) == ("wrong_file_type", found)

    def test_refuses_a_zip_that_is_no_workbook(self, write):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("deals.csv", "a,b\n")
        assert refusal(write(buffer.getvalue(), "deals.xlsx"))[1]["found"] == "ZIP"

    def test_refuses_a_cut_workbook(self, write, workbook):
        whole = workbook([["a"], [1]]).read_bytes()
        assert refusal(write(whole[: len(whole) // 2], "cut.xlsx"))[0] == "broken_workbook"

    def test_refuses_a_sheet_that_spans_more_than_memory_holds(self, workbook, tmp_path):
        path = workbook([["a", "b"], [1, 2]])
        bomb = tmp_path / "bomb.xlsx"
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(bomb, "w") as target:
            for name in source.namelist():
                target.writestr(name, source.read(name).replace(b'r="B2"', b'r="XFD1048576"'))
        assert refusal(bomb)[0] == "workbook_too_large"

    def test_refuses_a_200_mb_file_before_reading_it(self, tmp_path):
        path = tmp_path / "huge.csv"
        with path.open("wb") as stream:
            stream.truncate(200 * MEGABYTE)
        code, params = refusal(path)
        assert (code, params["megabytes"], params["limit"]) == ("file_too_large", "200", "50")


class TestShape:
    def test_refuses_an_empty_file(self, write):
        assert refusal(write(b""))[0] == "empty_file"
        assert refusal(write(b"\n \n"))[0] == "empty_file"

    def test_refuses_headings_without_rows(self, write):
        assert refusal(write(b"a,b\n"))[0] == "only_headings"

    def test_refuses_two_columns_of_one_name(self, write):
        code, params = refusal(write("金額,ＡＢ,ab\n1,2,3\n".encode()))
        assert (code, params["column"]) == ("duplicated_heading", "ab")

    def test_refuses_a_row_with_more_cells_than_headings(self, write):
        code, params = refusal(write(b"a,b\n1,2\n1,2,3\n"))
        assert (code, params["row"]) == ("too_many_cells", 3)

    def test_refuses_a_quotation_mark_that_is_not_closed(self, write):
        assert refusal(write(b'a,b\n1,"2\n3,4\n'))[0] == "broken_quotes"

    def test_finds_the_delimiter(self, write):
        for delimiter in (",", "\t", ";"):
            table = read(write(f"a{delimiter}b\n1{delimiter}2\n".encode()))
            assert table.headings == ("a", "b")

    def test_numbers_rows_as_the_person_sees_them_and_skips_blank_ones(self, write):
        table = read(write(b"\na,b\n1,2\n,\n3,4\n"))
        assert [row.number for row in table.rows()] == [3, 5]

    def test_fills_up_a_short_row(self, write):
        assert next(read(write(b"a,b,c\n1\n")).rows()).cells == {"a": "1", "b": None, "c": None}

    def test_knows_a_heading_in_another_width(self, write):
        row = next(read(write("ＵＲＬ ,金額\nx,1\n".encode())).rows(["URL"]))
        assert row.cells["URL"] == "x"


class TestWorkbooks:
    def test_reads_dates_numbers_and_text(self, workbook):
        path = workbook([["商談ID", "作成日", "金額"], ["D1", datetime(2026, 11, 24), 1200], [1001, None, 0.5]])  # noqa: DTZ001
        rows = list(read(path).rows())
        assert rows[0].cells["作成日"].isoformat()[:10] == "2026-11-24"
        assert rows[1].as_text == {"商談ID": "1001", "作成日": "", "金額": "0.5"}
        assert [row.number for row in rows] == [2, 3]

    def test_takes_the_sheet_the_mapping_names(self, workbook):
        path = workbook([["a"], [1]], sheet="商談")
        assert read(path, sheet="商談").headings == ("a",)
        code, params = refusal(path, sheet="失注")
        assert (code, params["found"]) == ("missing_sheet", "商談")
