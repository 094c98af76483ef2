"""The hub: repositories listed, files fetched into its own cache and checked, headers read afar.

huggingface_hub does the transport. It is imported inside functions only, because it takes longer
to import than most commands take to run.
"""
