"""Training the learned survival model."""
