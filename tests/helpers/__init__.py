"""Cohorts, runs, files and clusters that several test modules share."""
