"""Clusterers made for speaker vectors: rows are directions, the number of people is unknown."""
