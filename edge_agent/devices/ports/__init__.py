"""Ports of serial devices, here or behind a serial device server: opened, lost, opened again."""
