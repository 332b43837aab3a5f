"""Frozen rows to Plotly figures: the only place that knows Plotly."""
