"""Version and commit of the package, with git and without."""

import subprocess

import pytest

import dragkit
from dragkit.bench import provenance
from hand import sample

VERSION = f"dragkit {dragkit.__version__}"


@pytest.fixture
def repository(monkeypatch, tmp_path):
    """A repository with one file of a package, committed."""
    package = tmp_path / "src"
    package.mkdir()
    (package / "__init__.py").write_text("one = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", package)

    def git(*arguments):
        me = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        return subprocess.run(["git", *me, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    return git


def test_a_commit_is_named(repository):
    assert provenance.code() == f"{VERSION}, commit {repository('rev-parse', '--short', 'HEAD').strip()}"


def test_changes_of_the_package_are_said_and_those_of_docs_are_not(repository, tmp_path):
    (tmp_path / "README.md").write_text("new\n")
    assert not provenance.code().endswith("changed")
    (tmp_path / "src" / "__init__.py").write_text("one = 2\n")
    assert provenance.code().endswith(", changed")


def test_an_installed_copy_in_another_repository_has_no_commit(repository, tmp_path, monkeypatch):
    copy = tmp_path / "site-packages"
    copy.mkdir()
    (copy / "__init__.py").write_text("one = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    assert provenance.code() == VERSION


@pytest.mark.parametrize("path", ["", "/nowhere"])
def test_without_git_or_repository_the_version_stands_alone(monkeypatch, tmp_path, path):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if path:
        monkeypatch.setenv("PATH", path)
    assert provenance.code() == VERSION


def test_the_origin_of_figures_names_everything_once():
    found = [sample("nothing", 1.0), sample("mine", 1.0, settings={"steps": 50}), sample("other", 1.0, version="2")]
    assert provenance.origin(found, ["dragkit 9", "dragkit 9"]) == (
        "weights w1; 50 steps; benchmark version 1, 2; dragkit 9"
    )
    assert provenance.origin(found[:1], []) == "weights none; benchmark version 1"
