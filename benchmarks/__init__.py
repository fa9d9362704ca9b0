"""Speed, and the figures of papers, beside what a user would call instead."""
