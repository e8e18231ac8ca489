"""Views of two releases, of which the later one writes a newer version of an event, answer the same."""

from support.faulty import FaultyLog
from support.owners import Owners, count
from support.releases import READS, VIEW_READS, VIEW_WRITES, WRITES
from support.views import Views, answer


async def test_both_releases_of_a_view_show_the_events_of_both(views: Views, log: FaultyLog) -> None:
    async with Owners(log) as owners:
        await count(await owners.host(READS), "a", 3)
        await owners.stop()
        await count(await owners.host(WRITES), "a", 4)
    for release in (VIEW_READS, VIEW_WRITES):
        host = await views.host(release)
        assert await answer(host, log) == {"a": 7}
        await views.stop()
