"""Whatever is read again, in whatever order parts go on: no command is carried out twice."""

from hypothesis import given, settings
from hypothesis import strategies as st
from support.simulated_stall import PARTITIONS, SimulatedStall
from support.stall import AGGREGATES, CORRECTED, SELLING, TOPIC
from support.stall_run import placed, supplied

PARTITION = st.integers(0, PARTITIONS - 1)
MOST = st.integers(1, 5)
READERS = [(SELLING.name, topic) for topic in (TOPIC, SELLING.answers, SELLING.dead_letters)]
READERS += [(name, aggregate.commands) for name, aggregate in AGGREGATES.items()]
LINES = st.dictionaries(
    st.sampled_from(["tea", "cup", "bun", "broken"]), st.integers(1, 3) | st.just(13), min_size=1, max_size=3
)
ACTIONS = st.one_of(
    st.tuples(st.just("own"), st.sampled_from(sorted(AGGREGATES)), PARTITION, MOST),
    st.tuples(st.just("act"), st.sampled_from([topic for _, topic in READERS[:3]]), PARTITION, MOST),
    st.tuples(st.just("lose"), st.sampled_from(READERS), PARTITION, st.integers(0, 20)),
    st.tuples(st.just("place"), LINES),
    st.just(("run",)),
    st.just(("retry",)),
    st.just(("correct",)),
)


def carry_out(stall: SimulatedStall, orders: list[int], action: tuple[object, ...]) -> None:
    match action:
        case ("own", str(name), int(partition), int(most)):
            stall.own(name, partition, most)
        case ("act", str(topic), int(partition), int(most)):
            stall.act(topic, partition, most)
        case ("lose", (str(name), str(topic)), int(partition), int(offset)):
            stall.lose(name, topic, partition, offset)
        case ("place", dict(lines)):
            orders.append(len(orders))
            stall.send(placed(f"o{len(orders)}", **lines))
        case ("run",):
            stall.run()
        case ("retry",):
            stall.retry()
        case ("correct",):
            stall.process = CORRECTED


@settings(max_examples=20, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_any_suffix_that_is_read_again_changes_no_state_and_adds_no_event(
    actions: list[tuple[object, ...]],
) -> None:
    stall = SimulatedStall()
    stall.send(*(supplied(product, 4) for product in ("tea", "cup", "bun", "broken")))
    orders: list[int] = []
    carry_out(stall, orders, ("place", {"broken": 1, "tea": 2}))
    for action in actions:
        carry_out(stall, orders, action)
    stall.run()
    stall.process = CORRECTED
    stall.retry()
    stall.run()
    found = stall.folded()
    assert not any(len(stall.letters(partition)) for partition in range(PARTITIONS))
    for name, order in found.orders.items():
        refused = 13 in order.lines.values()
        assert bool(order.end) is not refused, name
        assert set(order.refusals) == {product for product, units in order.lines.items() if units == 13}
    open_orders = {name for name, order in found.orders.items() if not order.end}
    assert all(stock.holds.keys() <= open_orders for stock in found.stocks.values())
    for name, topic in READERS:
        for partition in range(PARTITIONS):
            stall.lose(name, topic, partition, 0)
    stall.run()
    assert stall.folded().events == found.events


def test_a_request_that_is_older_than_the_last_failure_was_handled_before() -> None:
    stall = SimulatedStall()
    stall.send(placed("o1", broken=1))
    stall.run()
    stall.retry()
    stall.run()  # it fails again
    before = [len(stall.log[SELLING.dead_letters, partition]) for partition in range(PARTITIONS)]
    stall.process = CORRECTED
    for name, topic in READERS:
        for partition in range(PARTITIONS):
            stall.lose(name, topic, partition, 0)
    stall.run()
    assert [len(stall.log[SELLING.dead_letters, p]) for p in range(PARTITIONS)] == before
    assert len(stall.folded().events) == 1
