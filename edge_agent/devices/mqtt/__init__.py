"""The MQTT link: handhelds on their own topics, and fleets of readers by profile."""
