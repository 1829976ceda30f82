"""How the autoencoder of the learned dynamics is trained and measured."""
