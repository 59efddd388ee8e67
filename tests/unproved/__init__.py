"""Tests for the rack that were written and have not passed on it yet.

They prove nothing so far, and what they are about is named as unproved in the changelog.
`make unproved` runs them; one that passes on a quiet machine moves to tests/lab.
"""
