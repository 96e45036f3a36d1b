"""A long run of a platform with functions under random load, and whether it is the same at the end as at the beginning."""
