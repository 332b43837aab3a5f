"""Networks as lists of layers: Inception, GoogLeNet, the networks before it."""
