"""The rooms of the house: imports point down the flow, files stay readable, notebooks stay thin."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "audioclust"
LEVELS = [
    {
        "installation",
        "files",
        "parallel",
        "cluster",
        "columns",
        "project",
        "recording",
        "geometry",
        "places",
        "validation",
        "plugins",
        "text",
        "bounded_yaml",
        "lazy",
    },
    {"datasets"},
    {"audio"},
    {"features", "embeddings"},
    {"evaluation"},
    {"clustering"},
    {"deep"},
    {"curation"},
    {"report"},
    {"runs"},
    {"grouping"},
    {"cli"},
]
SKIPPED = re.compile(r"#|import |from .* import ")
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "audioclust":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("audioclust.")}
    return found & set(LEVEL)


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_room_has_its_place():
    assert {room_of(path) for path in modules()} <= set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    room = room_of(path)
    up = {other for other in imported_rooms(path) - {room} if LEVEL[other] >= LEVEL[room] and LEVEL[room] > 0}
    assert not up, f"{room} imports {up}"


def test_no_file_grows_past_a_sitting():
    long = {str(path): n for path in modules() if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long


def test_no_function_grows_past_a_page():
    long = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = (ast.get_docstring(node, clean=False) or "").count("\n")
                lines = node.end_lineno - node.lineno + 1 - docstring
                if lines > 60:
                    long[f"{path.relative_to(PACKAGE)}:{node.name}"] = lines
    assert not long


def test_package_does_not_print_chdir_or_seed_globals():
    banned = {"print", "chdir", "seed"}
    for path in modules():
        if path.name == "forking.py":  # a process that has just become a kernel is nobody else's
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            target = node.func
            if isinstance(target, ast.Name):
                assert target.id != "print", f"{path} prints"
            elif isinstance(target, ast.Attribute) and isinstance(target.value, (ast.Name, ast.Attribute)):
                base = ast.unparse(target.value)
                assert not (target.attr in banned and base in {"os", "np.random", "numpy.random", "random", "torch"}), (
                    path
                )


def test_unsafe_loading_is_nowhere():
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords), path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"pickle.load", "pickle.loads", "joblib.load", "pd.read_pickle", "eval", "exec"}, (
                    path
                )


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin_and_clean(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
    for cell in code:
        source = "".join(cell["source"])
        assert "parameters" in cell["metadata"].get("tags", []) or source.count("\n") < 15, source
        kinds = {type(node) for node in ast.walk(ast.parse(source.replace("%", "#%")))}
        assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.While, ast.Try, ast.With}


def test_nothing_is_written_twice():
    """No ten lines of the package stand in two places; blank lines, comments, imports and brackets do not count."""
    seen: dict[tuple[str, ...], str] = {}
    for path in modules():
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        told = [(n, line) for n, line in enumerate(lines, 1) if re.search(r"\w", line) and not SKIPPED.match(line)]
        for start in range(len(told) - 9):
            run = told[start : start + 10]
            place = f"{path.relative_to(PACKAGE)}:{run[0][0]}"
            assert seen.setdefault(tuple(line for _, line in run), place) == place, place
