"""The pages of the embedded login: HTML without scripts, in English and Spanish."""
