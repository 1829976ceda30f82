"""The learned dynamics: action-conditioned latent diffusion of the post-TACE CT (arXiv 2506.02327, section 3.2)."""
