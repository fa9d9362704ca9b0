"""Choosing without labels: how many clusters, and which parameters."""
