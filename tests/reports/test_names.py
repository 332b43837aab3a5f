from reports.names import cut, distinct, in_order, lines

LONG = [f"replace the 5x5 convolutions of module {at} by two of 3x3, no bottleneck" for at in "abc"]


def test_controls_of_direction_are_left_out_and_words_to_the_left_stand_alone():
    assert in_order("\u202eevil\u202c, \u2067−6.95\u2069 points") == "evil, −6.95 points"
    assert in_order("“שלום עולם”, −6.95 points") == "“\u2068שלום עולם\u2069”, −6.95 points"
    assert in_order("no 5x5 branch – −0.29") == "no 5x5 branch – −0.29"


def test_a_name_is_cut_in_its_middle_and_a_wide_one_sooner():
    assert cut("no batch norm", 28) == "no batch norm"
    assert cut(LONG[0], 28) == "replace the 5x5…ottleneck"
    assert len(cut("🦊" * 300, 28)) == 14


def test_names_that_would_be_cut_alike_keep_what_parts_them():
    for most in (16, 28, 40):
        found = distinct([*LONG, "A/A"], most)
        assert len(set(found)) == 4
        assert all(len(name) <= most for name in found)
    assert distinct(["x" * 50, "x" * 50], 20) == [cut("x" * 50, 20)] * 2


def test_a_long_name_takes_few_lines():
    for own in lines([*LONG, "x" * 300, ""], 34, 3):
        assert 1 <= len(own) <= 3
        assert all(len(line) <= 34 for line in own)
