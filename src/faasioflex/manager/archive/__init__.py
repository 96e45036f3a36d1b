"""Code as users send it, checked entry by entry, and the one form in which it is stored.

``check`` reads what came in, ``canonical`` writes what is kept, ``unpack`` puts it into a folder for the builder. The tar
and zip readers are our own: the standard library's trust headers, follow them backwards and, in Python 3.11.2, have no filter.
"""
