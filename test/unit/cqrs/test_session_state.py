"""Sessions as handlers see them: levels, what was read and changed, exclusions, limits."""

from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from bookshelf.cqrs.errors import Invalid, Refused
from bookshelf.cqrs.session_route import HandlerSession, SessionSettings
from bookshelf.cqrs.session_state import (
    KEY_LENGTH,
    SESSION_KEYS,
    VALUE_BYTES,
    Differences,
    Exclusions,
    SessionContent,
    StateTooLarge,
    changed_content,
    check_limits,
    encode_value,
    outdated,
    scope_of,
)

KEPT = changed_content(
    changed_content(SessionContent(), {"service/shop/cart": '["a"]', "service/shop/n": "1"}, ()),
    {"group/stalls/n": "1.5"},
    (),
)
SHARED = changed_content(SessionContent(), {"shared/motd": '"hello"'}, ())


def session(exclude: dict[str, tuple[str, ...]] | None = None, **process: Any) -> HandlerSession:  # noqa: ANN401
    """Return the session of a client of the service `shop`."""
    declared = SessionSettings(group="stalls", exclude=exclude or {})
    return HandlerSession("shop", declared, KEPT, SHARED, process, {})


def test_a_handler_that_changes_nothing_writes_nothing() -> None:
    seen = session()
    assert (seen.service["cart"], seen.service["n"], seen.group["n"]) == (["a"], 1, 1.5)
    seen.service["n"] = 1
    seen.service["cart"] = ["a"]
    assert not seen.own_differences()
    assert not seen.shared_differences()


def test_a_value_that_was_changed_in_place_is_a_difference() -> None:
    seen = session()
    seen.service["cart"].append({"b": [None, True]})
    assert seen.own_differences() == Differences(
        {"service/shop/cart": '["a",{"b":[null,true]}]'}, (), {"service/shop/cart": 1}, {}
    )


@pytest.mark.parametrize("value", [1.0, True, "1", [1], None, {"n": 1}])
def test_values_that_only_python_takes_as_equal_differ(value: object) -> None:
    seen = session()
    seen.service["n"] = value
    assert seen.own_differences().set.keys() == {"service/shop/n"}


def test_what_was_read_has_its_version_and_what_is_absent_has_0() -> None:
    seen = session()
    assert "absent" not in seen.service
    assert seen.group.get("n") == 1.5
    assert seen.shared["motd"] == "hello"
    seen.service["unread"] = 1
    assert seen.own_differences().versions == {"group/stalls/n": 2, "service/shop/absent": 0}
    assert seen.shared_differences().versions == {"shared/motd": 1}


def test_a_handler_that_reads_all_keys_depends_on_every_change_of_the_scope() -> None:
    seen = session()
    seen.service["sum"] = len(seen.service) + len(list(seen.service))
    assert seen.own_differences().scopes == {"service/shop/": 1}
    assert outdated(KEPT, {}, {"service/shop/": 1}) is None
    elsewhere = changed_content(KEPT, {"group/stalls/x": "1"}, ())
    assert outdated(elsewhere, {}, {"service/shop/": 1}) is None
    dropped = changed_content(KEPT, {}, ("service/shop/n",))
    assert outdated(dropped, {}, {"service/shop/": 1}) == "service/shop/"


def test_keys_are_dropped_set_again_and_listed() -> None:
    seen = session()
    del seen.service["n"]
    assert seen.service.pop("cart") == ["a"]
    seen.service["cart"] = []
    assert list(seen.service) == ["cart"]
    with pytest.raises(KeyError):
        seen.service["n"]
    with pytest.raises(KeyError):
        del seen.service["never"]
    differences = seen.own_differences()
    assert (differences.set, differences.drop) == ({"service/shop/cart": "[]"}, ("service/shop/n",))


def test_the_levels_are_apart() -> None:
    seen = session()
    seen.shared["n"] = seen.service["m"] = seen.group["k/l"] = 3
    assert seen.own_differences().set == {"service/shop/m": "3", "group/stalls/k/l": "3"}
    assert seen.shared_differences().set == {"shared/n": "3"}
    assert [*map(scope_of, ("group/stalls/k/l", "shared/n/x"))] == ["group/stalls/", "shared/"]


def test_excluded_keys_stay_in_the_process_as_they_are() -> None:
    process: dict[str, Any] = {}
    seen = HandlerSession(
        "shop", SessionSettings(group="stalls", exclude={"*": ("local_*",)}), KEPT, SHARED, process, {}
    )
    seen.service["local_file"] = handle = object()
    assert seen.service["local_file"] is handle
    assert process == {"service/shop/local_file": handle}
    assert not seen.own_differences()
    assert set(seen.service) == {"cart", "n", "local_file"}
    del seen.service["local_file"]
    assert process == {}


#: The complete list of exclusions of the source, by level.
SOURCE = {
    "*": ("local_*", "LOCAL_*"),
    "shared": ("WORK_DIR", "*_cache"),
    "group": ("my.app.*",),
    "service": (),
}


@pytest.mark.parametrize(
    ("level", "key", "stays"),
    [
        ("service", "local_name", True),
        ("service", "LOCAL_", True),
        ("service", "Local_name", False),
        ("service", "WORK_DIR", False),
        ("shared", "WORK_DIR", True),
        ("shared", "WORK_DIRS", False),
        ("shared", "page_cache", True),
        ("shared", "_cache", True),
        ("shared", "page_caches", False),
        ("group", "my.app.x", True),
        ("group", "my.application", False),
        ("group", "local_x", True),
    ],
)
def test_the_sources_list_of_exclusions(level: str, key: str, stays: bool) -> None:  # noqa: FBT001 (a table)
    assert Exclusions(SOURCE).excludes(level, key) is stays


@pytest.mark.parametrize("pattern", ["a*b", "**", "*", "", "*a*", "a**"])
def test_other_patterns_are_refused_at_load(pattern: str) -> None:
    with pytest.raises(ValueError, match="no pattern"):
        SessionSettings(group="stalls", exclude={"shared": [pattern]})


def test_unknown_levels_scopes_and_groups_are_refused_at_load() -> None:
    with pytest.raises(ValueError, match="'client' is no level"):
        Exclusions({"client": ["a"]})
    with pytest.raises(ValueError, match="not a text"):
        Exclusions({"shared": "abc"})
    with pytest.raises(ValueError, match="no scope"):
        SessionSettings(group="a", scope="page")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no name of a service group"):
        SessionSettings(group="A b")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 1 << 63, -(1 << 63) - 1, "\ud800", ("a",), {1: 2}, b"x", object()]
)
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        encode_value("key", value)
    with pytest.raises(Invalid):
        encode_value("key", {"in": [value]})


def test_deep_values_are_refused() -> None:
    value: Any = 1
    for _ in range(40):
        value = [value]
    with pytest.raises(Invalid, match="nested"):
        encode_value("key", value)


@pytest.mark.parametrize("key", ["", "a\x00", "tab\t", "\x85", "\ud800", "k" * (KEY_LENGTH + 1)])
def test_impossible_keys_are_refused(key: str) -> None:
    with pytest.raises(Invalid):
        session().service[key] = 1
    with pytest.raises(Invalid):
        session().shared.get(key)


def test_values_and_sessions_have_limits() -> None:
    encode_value("key", "x" * (VALUE_BYTES - 2))
    with pytest.raises(StateTooLarge, match="16385 bytes"):
        encode_value("key", "x" * (VALUE_BYTES - 1))
    keys = {f"service/shop/{n}": "1" for n in range(SESSION_KEYS)}
    full = changed_content(SessionContent(), keys, ())
    check_limits(full, keys)
    with pytest.raises(StateTooLarge, match="200 keys"):
        check_limits(changed_content(full, {"service/shop/more": "1"}, ()), {})
    large = {f"service/shop/{n}": '"' + "x" * 16000 + '"' for n in range(5)}
    with pytest.raises(StateTooLarge, match="65536 bytes"):
        check_limits(changed_content(SessionContent(), large, ()), large)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(["a", "b", "c", "local_d"])


@for_all(
    before=st.dictionaries(_keys, _json, max_size=4),
    steps=st.lists(st.tuples(st.sampled_from("srd"), _keys, _json), max_size=8),
)
def test_the_differences_make_the_same_mapping_anywhere(
    before: dict[str, Any], steps: list[tuple[str, str, Any]]
) -> None:
    """Applied to the same content, they give what the handler has left, with excluded keys left out."""
    started = {f"service/shop/{k}": encode_value(k, v) for k, v in before.items() if k != "local_d"}
    content = changed_content(SessionContent(), started, ())
    declared = SessionSettings(group="g", exclude={"*": ["local_*"]})
    seen = HandlerSession("shop", declared, content, SessionContent(), {}, {})
    model = {key: value for key, value in before.items() if key != "local_d"}
    try:
        for step, key, value in steps:
            if step == "s":
                seen.service[key] = model[key] = value
            elif step == "r":
                assert seen.service.get(key) == model.get(key)
            elif key in model:
                del seen.service[key]
                del model[key]
        differences = seen.own_differences()
    except Refused as refused:  # a text with half of a surrogate pair
        assert "surrogate" in refused.detail  # noqa: PT017 (what else is refused is a defect)
        return
    after = changed_content(content, differences.set, differences.drop)
    model.pop("local_d", None)
    wanted = {f"service/shop/{key}": encode_value(key, value) for key, value in model.items()}
    assert {key: value.json for key, value in after.values.items()} == wanted
    assert all(
        content.values.get(key) is None or content.values[key].json != text
        for key, text in differences.set.items()
    )
