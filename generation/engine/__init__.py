"""Turns requests into answers. Only this package may import torch and transformers; nothing here knows
Django.

Importing `generation.engine` or `generation.engine.types` stays cheap: a web node has no torch.
"""
