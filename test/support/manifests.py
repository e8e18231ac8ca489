"""What is deployed, as its files have it: read as their tools read them."""

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from support.process import ROOT

Document = dict[str, Any]


def compose() -> Document:
    """Return docker-compose.yml, its anchors resolved."""
    [found] = documents(ROOT / "docker-compose.yml")
    return found


def documents(path: Path) -> list[Document]:
    """Return the documents of one YAML file, which is read once as long as its text is the same."""
    return deepcopy(_parsed(path.read_text(encoding="utf-8")))


@cache
def _parsed(text: str) -> list[Document]:
    return [one for one in yaml.safe_load_all(text) if one]


def kube(kind: str) -> dict[str, Document]:
    """Return what kube.yaml has of a kind, by name."""
    found = (one for one in documents(ROOT / "kube.yaml") if one["kind"] == kind)
    return {one["metadata"]["name"]: one for one in found}


def container(workload: Document) -> Document:
    """Return the one container of a Deployment or StatefulSet."""
    [found] = workload["spec"]["template"]["spec"]["containers"]
    typed: Document = found
    return typed


def marathon() -> dict[str, Document]:
    """Return each app of marathon/, by its file's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "marathon").glob("*.json"))}


def posting_order() -> list[str]:
    """Return the names of the apps in their documented order; an app waits for those posted before it."""
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    return page.partition("for app in ")[2].partition(";")[0].split()


def entry(found: Mapping[str, Document], name: str, file: str) -> Document:
    """Return what a file has of a service; an AssertionError that describes what to do if it has nothing."""
    assert name in found, f"{file} lacks {name}: run `make manifests` (docs/add-a-service.md, section 6)"
    return found[name]


def option(args: list[str], name: str) -> str:
    """Return the value of an option of a command line."""
    return args[args.index(name) + 1]
