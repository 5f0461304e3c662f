import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.scanners.topics import TopicFilter


def test_a_level_in_braces_captures_and_is_subscribed_as_a_plus() -> None:
    tags = TopicFilter.parse("zebra/{device}/tags")
    assert tags.mqtt_filter == "zebra/+/tags"
    assert tags.captures == ("device",)
    assert tags.match("zebra/gate-3/tags") == {"device": "gate-3"}


@pytest.mark.parametrize(
    ("text", "topic", "captured"),
    [
        ("a/b", "a/b", {}),
        ("a/+/{x}/#", "a/1/2/3/4", {"x": "2"}),
        ("a/{x}/#", "a/1", {"x": "1"}),
        ("a/#", "a", {}),
        ("{site}/{device}", "north/dock", {"site": "north", "device": "dock"}),
        ("a/{x}", "a/", {"x": ""}),
    ],
)
def test_what_a_filter_takes(text: str, topic: str, captured: dict[str, str]) -> None:
    assert TopicFilter.parse(text).match(topic) == captured


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("a/b", "a/c"),
        ("a/b", "a/b/c"),
        ("a/{x}", "a"),
        ("a/{x}", "a/1/2"),
        ("+/x", "$SYS/x"),
        ("#", "$SYS/broker"),
    ],
)
def test_what_a_filter_does_not_take(text: str, topic: str) -> None:
    assert TopicFilter.parse(text).match(topic) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 65535"),
        ("a/#/b", "last level"),
        ("a#", "last level"),
        ("a/b+", "whole level"),
        ("a/x{device}", "part of a level"),
        ("a/{Device}", "part of a level"),
        ("{x}/{x}", "twice"),
        ("a\nb", "control"),
        ("$share/g/a", "shared"),
    ],
)
def test_a_filter_that_cannot_work_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TopicFilter.parse(text)


LEVELS = st.lists(st.sampled_from(["a", "b", "+", "{x}", ""]), min_size=1, max_size=4)
FILTERS = st.builds(
    lambda levels, rest: "/".join([*levels, "#"] if rest else levels),
    LEVELS.filter(lambda levels: levels.count("{x}") < 2),
    st.booleans(),
).filter(bool)
TOPICS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5).map("/".join)


@given(one=FILTERS, two=FILTERS, topic=TOPICS)
@settings(max_examples=300, deadline=None)
def test_filters_that_both_take_a_topic_are_said_to_overlap(one: str, two: str, topic: str) -> None:
    first, second = TopicFilter.parse(one), TopicFilter.parse(two)
    if first.match(topic) is not None and second.match(topic) is not None:
        assert first.overlaps(second)
        assert second.overlaps(first)


@pytest.mark.parametrize(
    ("one", "two"),
    [("a/b", "a/c"), ("a/+", "b/+"), ("a", "a/b"), ("a/+/c", "a/b"), ("$SYS/x", "+/x")],
)
def test_filters_that_share_no_topic_do_not_overlap(one: str, two: str) -> None:
    assert not TopicFilter.parse(one).overlaps(TopicFilter.parse(two))
