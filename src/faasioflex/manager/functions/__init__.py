"""What can be done with functions: one module per verb. The API calls these and nothing else.

Users' requests write ``ffx_functions`` here and nowhere else; the reconciler (its neighbour) reads what is written.
"""
