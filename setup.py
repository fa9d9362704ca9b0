"""Which folders the package is made of; pyproject.toml says the rest.

``notebooks/`` and ``sweeps/`` stand at the top level, to be opened there, and are installed inside the package.
"""

from setuptools import find_packages, setup

beside = {"audioclust.notebooks": "notebooks", "audioclust.sweeps": "sweeps"}
setup(packages=[*find_packages(include=["audioclust", "audioclust.*"]), *beside], package_dir=beside)
