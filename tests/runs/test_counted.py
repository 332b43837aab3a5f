import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from nas.runs.counted import counted, ranges, said
from tests.examples import PROTOCOL, record


def runs(*images, state="complete"):
    protocols = [dataclasses.replace(PROTOCOL, data_sha256=each) for each in images]
    return [
        dataclasses.replace(record(number, 50.0, state=state), protocol=protocol)
        for number, protocol in enumerate(protocols)
    ]


def numbers(records):
    return [record.number for record in records]


def test_runs_on_other_images_than_those_asked_for_are_left_out():
    kept, left = counted(runs("old", "new", "old"), "new")
    assert (numbers(kept), numbers(left)) == ([1], [0, 2])
    assert said(left) == (
        "2 runs count for nothing here, made on images that have changed since: trial 0, 2"
    )
    assert numbers(counted(runs("old", "new", "old"), None)[0]) == [0, 1, 2]


def test_a_study_of_before_counts_the_images_of_most_runs_and_of_the_later_where_as_many():
    assert numbers(counted(runs("old", "old", "new"), "")[0]) == [0, 1]
    assert numbers(counted(runs("old", "new"), "")[0]) == [1]


def test_what_is_under_way_or_read_no_image_counts():
    (running,) = runs("old", state="running")
    bare = dataclasses.replace(record(1, None, state="infeasible"), protocol=None)
    assert counted([running, bare], "new") == ((running, bare), ())


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_each_number_once(some):
    named = []
    for part in filter(None, ranges(some).split(", ")):
        first, _, last = part.partition(" to ")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(some)
