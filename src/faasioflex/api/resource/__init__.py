"""The function resource at the edge: what requests may hold, and what answers look like."""
