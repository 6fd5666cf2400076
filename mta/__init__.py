"""mta, a mail transfer agent that reads Exim's configuration language."""

__version__ = "0.1.0"
