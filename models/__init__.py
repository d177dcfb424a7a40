"""Integer model of the LSTM accelerator: docs/numerics.md computed with PyTorch."""
