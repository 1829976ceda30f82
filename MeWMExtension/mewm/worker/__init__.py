"""The engine as a long-lived process that speaks JSON lines; the language is in docs/worker.md."""
