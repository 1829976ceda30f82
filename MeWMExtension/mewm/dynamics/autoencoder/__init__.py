"""The first half of the learned dynamics: CT ⇄ latent volumes (arXiv 2506.02327, section 3.2)."""
