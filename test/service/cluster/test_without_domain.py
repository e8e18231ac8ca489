"""Without a domain nothing of it is at work: no header, no check, no pause."""

from support.shelf import DUNE, Shelf


async def test_without_a_domain_no_answer_has_a_revision_and_none_is_asked_for() -> None:
    async with Shelf() as shelf:
        headers = {"Bookshelf_Revision": "99", "Bookshelf_Admitted": "any"}
        added = await shelf.send("POST", "/books", DUNE, **headers)
        listed = await shelf.send("GET", "/books", **headers)
        assert (added.status, listed.status) == (201, 200)
        for answer in (added, listed):
            assert {"Bookshelf-Revision", "Bookshelf-Rollout"}.isdisjoint(answer.headers)
        assert all(host.api.around is None for host in shelf.hosts.values())
