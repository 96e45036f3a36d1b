"""A folder as the archive that is sent to the platform."""
