"""Builders of networks: functions that return a `keras.Model`."""
