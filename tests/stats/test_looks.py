import pytest

from nas.stats.looks import LEVELS, look_level


def test_one_look_or_none_has_the_usual_level_and_several_share_it():
    assert look_level((8,)) == look_level((1,)) == look_level(()) == 0.05
    assert look_level((6, 10)) == LEVELS[6, 10] == 0.0291
    assert look_level((6, 10, 14)) == 0.0218
    assert 0.025 < look_level((4, 8)) < 0.05


@pytest.mark.parametrize("looks", [(1, 6), (10, 6), (6, 6)])
def test_looks_are_growing_numbers_of_seeds(looks):
    with pytest.raises(ValueError, match="growing numbers of seeds, from 2 on, not"):
        look_level(looks)
