"""The toy world: drawn scenes whose true edits are known, and the small model trained on them."""
