"""The nouns of the platform and its errors. Imports nothing else of ours; everything here is a frozen value."""
