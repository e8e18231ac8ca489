"""A service that takes pictures has room in its memory for the worker that converts one beside it."""

from typing import Any

import pytest
from support.manifests import compose, container, documents, kube, marathon
from support.process import ROOT

from bookshelf.media.port import PhotoLimits
from bookshelf.services import SERVICES

KEPT = [service.name for service in SERVICES if service.keeps_files]
#: MiB of a service without work.
_SERVICE = 256
_WORKER = PhotoLimits().memory >> 20
#: Bytes for each pixel of a picture with transparency, as measured on one of 100 megapixels.
_PIXEL = 10
ONE_WORKER = {"BOOKSHELF_PHOTOS_WORKERS": "1"}
each = pytest.mark.parametrize("name", KEPT)


def mebibytes(text: str) -> int:
    return int(text.lower().removesuffix("i").removesuffix("m"))


def has_one_worker(environment: dict[str, Any]) -> bool:
    return ONE_WORKER.items() <= environment.items()


@each
def test_docker_compose(name: str) -> None:
    found = compose()["services"][name]
    assert mebibytes(found["mem_limit"]) >= _WORKER + _SERVICE
    assert has_one_worker(found["environment"])


@each
def test_swarm(name: str) -> None:
    [stack] = documents(ROOT / "swarm" / "stack.yml")
    found = stack["services"][name]
    assert mebibytes(found["deploy"]["resources"]["limits"]["memory"]) >= _WORKER + _SERVICE
    assert has_one_worker(found["environment"])


@each
def test_kubernetes_where_one_process_without_memory_ends_the_whole_pod(name: str) -> None:
    limits = container(kube("Deployment")[name])["resources"]["limits"]
    assert mebibytes(limits["memory"]) >= _WORKER + _SERVICE
    assert has_one_worker(kube("ConfigMap")["network"]["data"])


@each
def test_marathon_which_reserves_memory_has_a_lower_limit_of_pixels(name: str) -> None:
    [found] = [app for app in marathon().values() if app["cmd"].startswith(f"exec bookshelf run {name} ")]
    worker = int(found["env"]["BOOKSHELF_PHOTOS_PIXELS"]) * _PIXEL >> 20
    assert found["mem"] >= worker + _SERVICE
    assert has_one_worker(found["env"])
