"""The reference: open_clip or transformers itself, in a process of its own.

``python -m zoo.verify.reference REQUEST.json`` computes what zoo.verify.request asks for, in torch,
and leaves files. Nothing else in zoo imports torch, and nothing here imports paddle.
"""
