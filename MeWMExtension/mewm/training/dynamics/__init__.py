"""How the learned dynamics is trained and measured."""
