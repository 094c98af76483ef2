"""Training and fine-tuning on Paddle: ``train/run_pretrain_dist.py`` is the way in."""
