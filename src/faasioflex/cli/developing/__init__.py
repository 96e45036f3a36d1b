"""What ``ffx dev`` does: one function, the platform's own launcher, builder and invoker, and nothing else of the platform.

``session`` ties it together: ``watching`` says what was saved, ``project`` reads it, ``making`` makes code that can run,
``node`` runs it, ``front`` lets calls in, ``screen`` tells about all of it.
"""
