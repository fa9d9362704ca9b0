"""python -m benchmarks [NAME ...] [--quick]: speed beside the libraries a user would call instead.

Each benchmark is a module here with ``run(quick) -> DataFrame``; both sides of a ratio are measured in one run. Full
runs are kept in ``benchmarks/results/NAME.json`` with the machine and library versions; quick ones only show that they
work.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

import benchmarks
from audioclust import files, parallel
from audioclust.installation import versions

HERE = Path(__file__).parent


def names() -> list[str]:
    return sorted(
        module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(names())} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing kept: shows that it works")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.names) - set(names())
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    for name in chosen.names or names():
        table = importlib.import_module(f"benchmarks.{name}").run(chosen.quick)
        print(f"\n{name}\n{table.to_string(index=False, float_format='{:.3f}'.format)}", flush=True)
        if not chosen.quick:
            kept = {"cores": parallel.cores(), "versions": versions(), "rows": table.to_dict("records")}
            files.write_json(HERE / "results" / f"{name}.json", kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
