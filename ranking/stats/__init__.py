"""Estimation in plain numpy: arrays in, frozen results out; nothing here knows about Django."""
