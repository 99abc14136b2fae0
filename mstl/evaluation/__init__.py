"""Prediction, scores and thresholds."""
