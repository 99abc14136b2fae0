"""Comparing transfer strategies: the same patients, budget and seeds for each, and a statistic that one may sign."""
