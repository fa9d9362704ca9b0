import pandas as pd

from audioclust.embeddings import rows as store


def made(**values):
    return pd.DataFrame({"sha256": list(values), "value": list(values.values())})


def test_rows_come_back_before_and_after_merging(tmp_path):
    folder = store.opened(tmp_path, {"window": 400})
    assert store.read(folder).empty
    store.add(folder, made(a=1, b=2))
    store.add(folder, made(c=3))
    store.add(folder, made())
    assert store.read(folder)["value"].to_dict() == {"a": 1, "b": 2, "c": 3}
    store.merge(folder)
    assert store.read(folder)["value"].to_dict() == {"a": 1, "b": 2, "c": 3}
    assert not list((folder / "shards").iterdir())


def test_parameters_name_the_folder(tmp_path):
    first = store.opened(tmp_path, {"window": 400, "hop": 160})
    assert store.opened(tmp_path, {"hop": 160, "window": 400}) == first
    assert store.opened(tmp_path, {"hop": 161, "window": 400}) != first
    assert '"hop": 160' in (first / "params.json").read_text()


def test_a_kill_between_merging_and_sweeping_doubles_nothing(tmp_path):
    folder = store.opened(tmp_path, {})
    store.add(folder, made(a=1))
    (shard,) = (folder / "shards").iterdir()
    kept = shard.read_bytes()
    store.merge(folder)
    shard.write_bytes(kept)
    assert store.read(folder)["value"].to_dict() == {"a": 1}
    assert store.merge(folder)["value"].to_dict() == {"a": 1}


def test_a_shard_left_half_written_is_not_read(tmp_path):
    folder = store.opened(tmp_path, {})
    store.add(folder, made(a=1))
    scratch = folder / "shards" / ".writing-1"
    scratch.mkdir()
    (scratch / "x.parquet").write_bytes(b"PAR1")
    assert store.read(folder)["value"].to_dict() == {"a": 1}
    assert store.merge(folder)["value"].to_dict() == {"a": 1}


def test_a_damaged_file_counts_as_absent(tmp_path, caplog):
    folder = store.opened(tmp_path, {})
    store.add(folder, made(a=1))
    store.merge(folder)
    store.add(folder, made(b=2))
    table = folder / "rows.parquet"
    table.write_bytes(table.read_bytes()[:50])
    assert store.read(folder)["value"].to_dict() == {"b": 2}
    assert "rows.parquet is damaged" in caplog.text
    assert store.merge(folder)["value"].to_dict() == {"b": 2}
    assert store.read(folder)["value"].to_dict() == {"b": 2}


def test_one_flipped_bit_costs_the_rows_beside_it(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(store, "_GROUP", 8)
    folder = store.opened(tmp_path, {})
    names = [f"{i:064}" for i in range(64)]
    store.add(folder, pd.DataFrame({"sha256": names, "vectors": [[float(i)] * 99 for i in range(64)]}))
    store.merge(folder)
    table = folder / "rows.parquet"
    whole = bytearray(table.read_bytes())
    whole[len(whole) // 2] ^= 1
    table.write_bytes(whole)
    rows = store.read(folder)
    assert len(rows) == 56
    assert all((vectors == float(key)).all() for key, vectors in rows["vectors"].items())
    assert "8 rows are damaged" in caplog.text
