"""Tables made from rows as they come."""

import tracemalloc

import numpy as np
import pandas as pd
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


def test_no_more_than_a_block_of_rows_lives():
    def peak(count):
        tracemalloc.start()
        columns.gathered(rows(count), KINDS)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    columns.gathered(rows(1), KINDS)
    assert peak(8 * columns.BLOCK) - peak(2 * columns.BLOCK) < 40 * 6 * columns.BLOCK  # bytes a row, beside Arrow's


@pytest.fixture(params=["in memory", "in a file", "in a file of one group"])
def held(request, tmp_path, small_blocks):
    """A table, and the same as `Blocks`."""
    table = columns.gathered(rows(50), KINDS)
    table.attrs = {"said": "x"}
    if request.param == "in memory":
        yield table, columns.Blocks.of(table)
        return
    if request.param == "in a file":
        columns.write(table, tmp_path / "table.parquet")
    else:
        table.to_parquet(tmp_path / "table.parquet")
    with columns.Blocks.saved(tmp_path / "table.parquet") as blocks:
        yield table, blocks


def test_rows_are_plain_values_in_any_order(held):
    table, blocks = held
    made = blocks.rows(["channels", "path", "duration", "none"])
    assert len(made) == len(blocks) == 50
    assert made[5] == (None, "folder/é000005.wav", None, None)
    assert made[49] == (2, "folder/é000049.wav", 49 / 3, None)
    assert [row[1] for row in made] == table["path"].tolist()


def test_blocks_are_the_table(held):
    table, blocks = held
    parts = list(blocks.blocks())
    assert [len(part) for part in parts] == [7] * 7 + [1]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), table)
    assert blocks.names == list(table)
    some = pd.concat(blocks.blocks(["none", "channels"]), ignore_index=True)
    assert list(some) == ["none", "channels"]
    assert some["none"].isna().all()
    assert some["channels"].equals(table["channels"])


def test_a_table_without_rows_has_columns(tmp_path):
    table = columns.gathered([], KINDS)
    columns.write(table, tmp_path / "table.parquet")
    with columns.Blocks.saved(tmp_path / "table.parquet") as blocks:
        pd.testing.assert_frame_equal(blocks.empty, table)
        assert len(blocks) == len(list(blocks.blocks())) == len(blocks.rows(["path"])) == 0


@pytest.mark.parametrize("index", [None, [*range(25, 50), *range(25)]])
def test_written_block_by_block_or_as_a_whole_it_is_the_same_file(tmp_path, small_blocks, index):
    table = columns.gathered(rows(50), KINDS)
    table["kind"] = pd.Categorical(["a", "b"] * 25) if index else 1.5
    table.index = table.index if index is None else pd.Index(index)
    columns.write(table, tmp_path / "whole.parquet")
    with columns.writer(tmp_path / "blocks.parquet", table[:0], 50) as add:
        for part in columns.Blocks.of(table).blocks():
            add(part)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "blocks.parquet").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "whole.parquet"), table)


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
    monkeypatch.setattr(columns, "BLOCK", 20)
    columns.write(columns.gathered(rows(50), KINDS), tmp_path / "table.parquet")
    assert pq.ParquetFile(tmp_path / "table.parquet").num_row_groups == 3
