"""Two writers of one partition: a former owner appends nothing and answers nothing false."""

import signal

import pytest
from chaos.kafka.trial import ROUNDS, Fault, seeded_random
from support.fleet import Fleet
from support.load import Load

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos]


def test_a_suspended_owner_continues_after_it_lost_its_partition(fleet: Fleet, fault: Fault) -> None:
    with fault("newbook: SIGSTOP past its session, then SIGCONT") as trial:
        for number in range(ROUNDS):
            zombie = fleet.members[f"newbook-{1 + number % 2}"]
            name = f"beside the gateway {number}"
            with Load(fleet.beside(zombie), name, seeded_random(name), writers=3) as direct:
                direct.goes_on()
                trial.under_load()
                zombie.send(signal.SIGSTOP)
                trial.over()
                try:
                    trial.recovered()  # the other has all partitions
                finally:
                    zombie.send(signal.SIGCONT)
                direct.goes_on()
            trial.more += direct.sent
            trial.recovered()


@pytest.mark.slow
def test_two_instances_act_as_owner_of_one_partition(fleet: Fleet, fault: Fault) -> None:
    with fault("newbook: a second writer of every partition") as trial:
        rogue_owner = fleet.rogue_owner()
        rogue_owner.ready()
        with Load(fleet.beside(rogue_owner), "to the usurper", seeded_random("usurper"), writers=3) as direct:
            for _ in range(ROUNDS):
                direct.goes_on()
                trial.under_load()
        trial.more += direct.sent
        rogue_owner.kill()
        del fleet.members["usurper"]
        trial.recovered()
        assert "writer-lost" in "".join(member.complaints for member in fleet.of("newbook"))
