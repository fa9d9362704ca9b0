"""Tables made from rows as they come."""

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioclust import columns

KINDS = {"path": "str", "duration": "float64", "channels": "Int64", "problem": "str"}


def rows(count):
    for number in range(count):
        fine = {"path": f"folder/é{number:06}.wav", "duration": number / 3, "channels": 1 + number % 2}
        yield fine if number % 5 else {"path": fine["path"], "problem": f"not {number}"}


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 7)


@pytest.mark.parametrize("count", [0, 3, 7, 50])
def test_a_table_is_what_pandas_makes_of_all_rows(count, small_blocks):
    expected = pd.DataFrame(list(rows(count)), columns=list(KINDS)).astype(KINDS)
    pd.testing.assert_frame_equal(columns.gathered(rows(count), KINDS), expected)


def test_a_column_that_comes_late_is_null_before(small_blocks):
    late = ({"path": "a"} if number < 20 else {"path": "a", "take": str(number)} for number in range(22))
    table = columns.gathered(late, {"path": "str"})
    assert table["take"].dtype == "str"
    assert table["take"].isna().sum() == 20
    assert table["take"].tolist()[20:] == ["20", "21"]


def test_equal_columns_share_their_memory(small_blocks):
    before = columns.gathered(rows(50), KINDS).set_index(np.arange(50)[::-1])
    changed = [dict(row) for row in rows(50)]
    changed[30]["problem"] = "another"
    table = columns.gathered(changed, KINDS, like=before)
    pd.testing.assert_frame_equal(table, pd.DataFrame(changed, columns=list(KINDS)).astype(KINDS))
    assert np.shares_memory(table["duration"].to_numpy(), before["duration"].to_numpy())
    addresses = [{piece.buffers()[2].address for piece in pa.array(each["path"]).chunks} for each in (table, before)]
    assert addresses[0] == addresses[1]
    assert before["problem"].iloc[30] == "not 30"


def test_no_more_than_a_block_of_rows_lives():
    def peak(count):
        tracemalloc.start()
        columns.gathered(rows(count), KINDS)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    columns.gathered(rows(1), KINDS)
    assert peak(8 * columns.BLOCK) - peak(2 * columns.BLOCK) < 40 * 6 * columns.BLOCK  # bytes a row, beside Arrow's


def test_rows_are_plain_values_in_any_order(small_blocks):
    table = columns.gathered(rows(50), KINDS)
    made = columns.rows_of(table, ["channels", "path", "duration", "none"])
    assert len(made) == 50
    assert made[5] == (None, "folder/é000005.wav", None, None)
    assert made[49] == (2, "folder/é000049.wav", 49 / 3, None)
    assert [row[1] for row in made] == table["path"].tolist()


def test_parts_come_back_to_their_places():
    whole = columns.gathered(rows(50), KINDS)
    places = np.random.default_rng(0).permutation(50)
    parts = [(np.sort(part), whole.iloc[np.sort(part)]) for part in (places[:20], places[20:20], places[20:])]
    pd.testing.assert_frame_equal(columns.interleaved(parts), whole)


@pytest.mark.parametrize("index", [None, [3, 1, 2]])
def test_a_table_survives_the_disk(tmp_path, index):
    table = columns.gathered(rows(3), KINDS)
    table["flag"] = [True, False, True]
    table.index = table.index if index is None else pd.Index(index, name="number")
    table.attrs = {"said": "x" * 10_000}
    columns.write(table, tmp_path / "table.parquet")
    back = pd.read_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(back, table)
    assert back.attrs == table.attrs
    assert (tmp_path / "table.parquet").stat().st_size < 20_000  # what is said of it stands there once

    table["kind"] = pd.Categorical(["a", "b", "a"])
    table["took"] = pd.to_timedelta([1, 2, 3], unit="s")
    columns.write(table, tmp_path / "table.parquet")
    back = pd.read_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(back, table, check_index_type=False)
    assert back.attrs == table.attrs


def test_a_file_holds_some_thousand_rows_together(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "GROUP", 20)
    columns.write(columns.gathered(rows(50), KINDS), tmp_path / "table.parquet")
    assert pq.ParquetFile(tmp_path / "table.parquet").num_row_groups == 3
