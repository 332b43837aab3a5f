"""A network and its recipe, with its cost and the budget that it must keep."""
