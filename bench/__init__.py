"""Measurements, each as a ratio to a floor of the same run: machines differ, ratios hardly do."""
