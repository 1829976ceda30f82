"""How the learned assistant and the proposal of masks, both nnU-Net v2, are trained and measured."""
