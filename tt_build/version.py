"""The one place of the version; it is part of every generated file's header and of every step's signature."""

__version__ = "0.1.0"
