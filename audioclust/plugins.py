"""Code of one's own, imported by every kernel and worker: that is how what it registers is known there too.

A plugin is a Python file or a module that registers clusterers, features, encoders or datasets when it is imported.
A project names its plugins in ``audioclust.yaml``, a sweep in its file, and an installed package through the entry
point group ``audioclust.plugins``. A plugin is code that you run: name only what you trust.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

__all__ = ["GROUP", "load", "loaded", "resolve"]

GROUP = "audioclust.plugins"
_LOADED: dict[str, ModuleType] = {}


def load(names: Iterable[str] = (), root: str | Path = ".") -> list[str]:
    """Import plugins, each once in this process, and those of installed packages.

    Parameters
    ----------
    names : iterable of str
        Modules (``"package.module"``) and files (``"plugins/mine.py"``).
    root : str or Path
        The folder that relative files start at: the project's, or that of a sweep's file.

    Returns
    -------
    list of str
        What is loaded now, see :func:`loaded`.

    Raises
    ------
    ValueError
        When there is no such file or module; the message names it. An error in the plugin's own code is raised as it
        is.

    Examples
    --------
    >>> from audioclust import clustering, plugins
    >>> code = "from audioclust import clustering; clustering.register('planted', 'sklearn.cluster:Birch')"
    >>> _ = Path("planted.py").write_text(code)
    >>> Path(plugins.load(["planted.py"])[-1]).name
    'planted.py'
    >>> clustering.make("planted", n_clusters=2).fit_predict([[0.0], [0.1], [9.0]]).tolist()
    [1, 1, 0]
    """
    from importlib.metadata import entry_points  # here, since workers mostly need it not

    for point in entry_points(group=GROUP):
        _LOADED.setdefault(point.value.partition(":")[0], importlib.import_module(point.value.partition(":")[0]))
    for name in resolve(names, root):
        if name not in _LOADED:
            _LOADED[name] = _from_file(Path(name)) if name.endswith(".py") else _from_module(name)
    return loaded()


def loaded() -> list[str]:
    """Return the plugins imported so far, files with their whole path: what a worker has to :func:`load`.

    Examples
    --------
    >>> from audioclust import plugins
    >>> "colorsys" in plugins.loaded()
    False
    >>> plugins.load(["colorsys"]) == plugins.loaded()  # any module will do
    True
    """
    return list(_LOADED)


def resolve(names: Iterable[str], root: str | Path = ".") -> list[str]:
    """Return the names with files as whole paths, without importing anything.

    Raises
    ------
    ValueError
        When a file is not there.
    """
    resolved = []
    for name in names:
        if name.endswith(".py"):
            path = (Path(root) / name).resolve()
            if not path.is_file():
                raise ValueError(f"plugins={name!r}: there is no file {path}")
            name = str(path)
        resolved.append(name)
    return resolved


def _from_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ValueError(f"plugins={name!r}: there is no such module") from None
        raise


class _AsItIsNow(SourceFileLoader):
    """Python takes a compiled file for the source's if second and size agree; and nothing is left beside the user's."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _from_file(path: Path) -> ModuleType:
    # the name holds the path, so that two files of one name do not meet, and pickled classes find their module
    name = f"audioclust_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItIsNow(name, str(path)))
    if spec is None or spec.loader is None:
        raise ValueError(f"plugins: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
