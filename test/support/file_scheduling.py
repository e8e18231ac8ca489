"""How the tests are shared out among processes: whole files, those that take longest first.

A file stays in one process, because its tests share what they started; so does a folder of TOGETHER.
"""

from xdist.scheduler import LoadFileScheduling

#: Folders whose tests share what takes long to start.
TOGETHER = ("test/architecture/", "test/chaos/kafka/", "test/service/discovery/")
#: What comes first: these take longest, so that no process waits for one of them in the end.
FIRST = (
    "test/chaos/kafka/",
    "test/chaos/rollouts/",
    "test/manifests/test_package.py",
    "test/service/discovery/",
    "test/contract/",
    "test/chaos/",
    "test/service/aggregate/",
    "test/system/",
)


def turn(nodeid: str) -> int:
    """Return when a test has its turn: the lower, the earlier."""
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))


def together(nodeid: str) -> str:
    """Return the name of what runs in one process with a test."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


class Files(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each process the next file as soon as it is nearly done with its last."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
