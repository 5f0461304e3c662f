"""Stations: a weight belongs to the scan of its bench, and to one package."""
