"""Law 13: a handle or address has at most one account, and a rejected or forgotten account holds neither.

Registration runs on the simulation of processes: any order of work, offsets lost, and requests that time out.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.fixed_infrastructure import NOW, CountedIds
from support.simulated_stall import PARTITIONS, SimulatedStall

from bookshelf.accounts.account import ACCOUNT, Account, ChangeEmail, ExpireRequest, Forget, OpenAccount
from bookshelf.accounts.claim import CLAIM, ClaimHolder
from bookshelf.accounts.events import EVENTS, TOPIC
from bookshelf.accounts.registration import REGISTRATION
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.message import Command
from bookshelf.log.port import NewRecord
from bookshelf.runtime.aggregate.command_messages import command_message

#: The deadline's command comes from the service itself; here it is one of the commands in the topic.
ACCOUNTS = replace(ACCOUNT, takes=(*ACCOUNT.takes, ExpireRequest))
AGGREGATES: Mapping[str, Aggregate[Any]] = {"account": ACCOUNTS, "claim": CLAIM}
PEOPLE = [f"a-{number}" for number in range(4)]
NAMES = ["x", "y"]
PARTITION, MOST = st.integers(0, PARTITIONS - 1), st.integers(1, 4)
ACTIONS = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(PEOPLE), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("change"), st.sampled_from(PEOPLE), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["expire", "forget"]), st.sampled_from(PEOPLE)),
    st.tuples(st.just("own"), st.sampled_from(sorted(AGGREGATES)), PARTITION, MOST),
    st.tuples(st.just("act"), PARTITION, MOST),
    st.tuples(st.just("lose"), PARTITION, st.integers(0, 10)),
    st.just(("run",)),
)


class Registration(SimulatedStall):
    """The accounts of a few people with the same wishes for handles and addresses."""

    def __init__(self) -> None:
        super().__init__(REGISTRATION, AGGREGATES)
        self._commands = CountedIds()

    def ask(self, account: str, command: Command) -> None:
        """Send a command of a client."""
        self.send(self._message(account, command))

    def _message(self, account: str, command: Command) -> NewRecord:
        made = self._commands.new()
        return command_message(ACCOUNTS, command, id=made, source="test", subject=account, time=NOW)

    def carry_out(self, action: tuple[object, ...]) -> None:
        """Do one thing."""
        match action:
            case ("open", str(account), str(handle), str(email)):
                asked = {"handle_claim": f"h-{handle}", "email_claim": f"e-{email}"}
                sealed = {"handle": "H", "name": "N", "email": "E", "password": "P"}
                self.ask(account, OpenAccount(**sealed, **asked, groups=(), at=NOW))
            case ("change", str(account), str(email)):
                self.ask(account, ChangeEmail(email=email, claim=f"e-{email}", at=NOW))
            case ("expire", str(account)):
                self.ask(account, ExpireRequest())
            case ("forget", str(account)):
                self.ask(account, Forget())
            case ("own", str(name), int(partition), int(most)):
                self.own(name, partition, most)
            case ("act", int(partition), int(most)):
                self.act(TOPIC, partition, most)
            case ("lose", int(partition), int(offset)):
                self.lose(REGISTRATION.name, TOPIC, partition, offset)
            case ("run",):
                self.run()

    def states(self) -> tuple[dict[str, Account], dict[str, ClaimHolder]]:
        """Return the accounts, and the claims."""
        accounts: dict[str, Account] = {}
        claims: dict[str, ClaimHolder] = {}
        for partition in range(PARTITIONS):
            for record in self.log[TOPIC, partition]:
                envelope = decode_envelope(record.value)
                event = EVENTS.decode(envelope.type, bytes(envelope.data))
                if event is None:  # a command that led to no event
                    continue
                if record.key.startswith("a-"):
                    accounts[record.key] = ACCOUNT.evolve(accounts.get(record.key, Account()), event)
                else:
                    claims[record.key] = CLAIM.evolve(claims.get(record.key, ClaimHolder()), event)
        return accounts, claims


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_a_handle_or_address_has_at_most_one_account(actions: list[tuple[object, ...]]) -> None:
    registration = Registration()
    for action in actions:
        registration.carry_out(action)
        accounts, _ = registration.states()
        held = Counter(
            claim
            for state in accounts.values()
            if state.is_open
            for claim in (state.handle_claim, state.email_claim)
        )
        assert all(count == 1 for count in held.values()), held
    registration.run()
    accounts, claims = registration.states()
    for account, state in accounts.items():
        assert state.status != "requested"
        assert state.pending is None
        holds = {claim for claim, holder in claims.items() if holder.account == account}
        assert holds == ({state.handle_claim, state.email_claim} if state.is_open else set())
    count = sum(len(registration.log[TOPIC, partition]) for partition in range(PARTITIONS))
    for partition in range(PARTITIONS):
        registration.lose(REGISTRATION.name, TOPIC, partition, 0)
    registration.run()
    assert sum(len(registration.log[TOPIC, partition]) for partition in range(PARTITIONS)) == count
