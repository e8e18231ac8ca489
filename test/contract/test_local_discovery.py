import pytest
from contract.discovery_contract import DiscoveryContract

from bookshelf.discovery.local import LocalDiscovery


@pytest.fixture
def discovery() -> LocalDiscovery:
    return LocalDiscovery()


class TestLocalDiscovery(DiscoveryContract):
    """All of it within one process."""
