"""Backbones, head, augmentation, frozen and trainable layers, feature cache, training, checkpoints."""
