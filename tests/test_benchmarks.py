"""The benchmarks keep working; how fast they are is not a test."""

import pytest

from benchmarks import __main__ as benchmarks


def test_what_there_is():
    assert benchmarks.names() == [
        "answer",
        "autoencoder",
        "camsat",
        "faults",
        "features",
        "mnist",
        "page",
        "scale",
        "speakers",
        "uvectors",
        "voices",
    ]


@pytest.mark.parametrize("name", ["answer", "camsat", "features", "autoencoder", "page", "uvectors", "voices"])
def test_quick(name, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmarks, "HERE", tmp_path)
    assert benchmarks.main([name, "--quick"]) == 0
    assert name in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_quick_scale():
    from benchmarks import scale

    table = scale.run(quick=True)
    assert set(table["part"]) == set(scale.parts())
    scored = table[table["ari"].notna()]
    assert len(scored) == 5
    assert (scored["ari"] > 0.95).all()
    assert (scored["purity"] > 0.98).all()
    (killed,) = table.loc[table["what"].str.endswith("killed twice"), "measured"]
    assert killed.startswith("same bytes")  # so few clips may be through before a kill arrives


def test_quick_faults_all_hold():
    from benchmarks import faults

    table = faults.run(quick=True)
    assert table["held"].tolist() == table["tried"].tolist(), table.to_string()


def test_an_unknown_one_is_named(capsys):
    with pytest.raises(SystemExit):
        benchmarks.main(["nothing"])
    assert "no benchmark nothing; there are answer, autoencoder" in capsys.readouterr().err
