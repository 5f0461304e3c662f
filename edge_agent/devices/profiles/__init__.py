"""Profiles: what a kind of device is like, as data. One TOML file a profile, beside this module."""
