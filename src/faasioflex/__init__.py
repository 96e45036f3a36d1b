"""FaaSioFlex: a Function-as-a-Service platform that people run on their own machines."""

from importlib.metadata import version

__version__ = version("faasioflex")
