import pytest

from nas import alexnet, cost, googlenet, small_plain
from nas.results.published import TABLE_1, K, compare
from tests.specimens import golden

rows = {(row.table, row.name): row for row in compare({"mine": small_plain})}
table = {name: row for (kind, name), row in rows.items() if kind == "table 1"}
networks = {name: row for (kind, name), row in rows.items() if kind == "networks"}


def test_table_1_is_counted_row_by_row_and_in_sum():
    known = [(line["weights"], line["mult_adds"]) for line in golden("table1")]
    assert [(row.params, row.mult_adds) for row in table.values()][:-1] == known
    total = table["total"]
    assert (total.params, total.mult_adds) == (6_990_272, cost(googlenet).mult_adds)
    assert total.published_mult_adds == 1_502_000_000
    assert total.published_params == pytest.approx(6_797.7 * K)


@pytest.mark.parametrize("name", TABLE_1)
def test_a_row_of_table_1_gives_the_reason_that_is_so(name):
    row, (params, operations) = table[name], TABLE_1[name]
    near = abs(row.params / K - params) <= 1 and abs(row.mult_adds / 1e6 - operations) < 1
    assert (row.reason == "within 1 K and 1 M") == near


def test_the_two_rows_whose_operations_differ_have_a_network_that_gives_them():
    odd = [n for n, row in table.items() if abs(row.of_published_mult_adds - 1) > 0.03]
    assert odd == ["conv 7x7/2", "inception_5a", "total"]
    assert table["conv 7x7/2"].reason == "a separable 7x7 has 2,712 and 34.0 M"
    assert table["inception_5a"].reason == "48 before its 5x5, not 32: 1,081 K, 54.2 M"


def test_k_and_m_of_4c_contradict_each_other():
    assert round(463 * 1024 * 14 * 14 / 1e6, 1) == 92.9
    assert table["inception_4c"].reason == "463 K would be 92.9 M"


def test_alexnet_has_8_7_and_not_12_times_the_parameters():
    row = networks["alexnet"]
    assert row.of_canonical_params == cost(alexnet).params / cost(googlenet).params
    assert round(row.of_canonical_params, 1) == 8.7
    assert row.reason.endswith("8.7x")


def test_a_network_of_ones_own_comes_last_at_its_own_size():
    assert list(networks)[-1] == "mine"
    assert networks["mine"].image_size == 28
    assert networks["mine"].mult_adds == cost(small_plain).mult_adds
