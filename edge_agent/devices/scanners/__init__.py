"""Scanners and readers: how their bytes are cut, what a payload's reads are, and the links."""
