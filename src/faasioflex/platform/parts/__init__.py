"""Our parts, wired: which classes they are, what they are given, how they live together in a process."""
