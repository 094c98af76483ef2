"""The deployed form: both towers as programs of Paddle Inference.

Features alone need no module that can be trained, and on CPU the program is the faster way to them.
"""
