"""The locked versions are exact, complete, and within the bounds that pyproject.toml gives."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]


def locked():
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in LINES)}


def test_every_line_is_a_name_and_an_exact_version():
    for line in LINES:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.+]*", line), line


def test_the_base_install_needs_nothing():
    assert PROJECT["dependencies"] == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_dependency_is_locked_within_its_bounds(extra):
    for requirement in map(Requirement, EXTRAS[extra]):
        if requirement.name == "offcut":
            assert requirement.extras <= EXTRAS.keys()
        else:
            assert requirement.specifier.contains(locked()[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_dependency_has_its_reason_beside_it(extra):
    text = (ROOT / "pyproject.toml").read_text()
    for requirement in EXTRAS[extra]:
        if not requirement.startswith("offcut["):
            assert re.search(re.escape(f'"{requirement}"') + r",\s+# \S", text), requirement


def test_what_builds_offcut_is_locked_too():
    for requirement in map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]):
        assert requirement.specifier.contains(locked()[requirement.name])
