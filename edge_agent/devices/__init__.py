"""Protocols (bytes in, readings out), links (MQTT, serial, TCP), presence, simulators."""
