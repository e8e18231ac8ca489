"""Images: every one by a fixed version, the same everywhere; our own is not root."""

import re

import pytest
from support.manifests import compose, container, kube, marathon
from support.process import ROOT

from bookshelf import __version__

_DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
_FIXED = re.compile(r"[a-z][a-z./-]*:v?\d+\.\d+[\w.-]*")


def images() -> dict[str, set[str]]:
    """Return the images that each way of deployment uses, without their own default syntax."""
    composed = {one["image"] for one in compose()["services"].values()}
    workloads = kube("Deployment") | kube("StatefulSet")
    return {
        "compose": {re.sub(r"\$\{BOOKSHELF_VERSION:-(.*)\}", r"\1", one) for one in composed},
        "kube": {container(one)["image"] for one in workloads.values()},
        "marathon": {app["container"]["docker"]["image"] for app in marathon().values()},
    }


@pytest.mark.parametrize("way", ["compose", "kube", "marathon"])
def test_every_image_has_a_fixed_version(way: str) -> None:
    found = images()[way]
    assert f"bookshelf:{__version__}" in found
    assert [one for one in found if not _FIXED.fullmatch(one)] == []


def test_all_deployments_use_the_same_images() -> None:
    found = images()
    assert found["compose"] == found["kube"] >= found["marathon"]


def test_the_last_stage_installs_nothing_and_is_not_root() -> None:
    last = _DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"\b(?:pip install|apt-get|curl|wget|ADD)\b", last) == []
    assert {"HEALTHCHECK", "STOPSIGNAL", "VOLUME", "LABEL"} <= set(
        re.findall(r"^([A-Z]+)\b", last, re.MULTILINE)
    )


def test_every_base_has_a_fixed_version() -> None:
    [python] = re.findall(r"^ARG PYTHON=(.*)$", _DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"3\.\d+-slim-[a-z]+", python)
    bases = re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"python:${PYTHON}", "build"}
