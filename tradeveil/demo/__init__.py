"""The demonstration: the service and all four kinds of users on one machine, playing the stories that must come out exactly so.

Everything runs for real: the service in a process of its own, the parties through the commands that a person would type, each
with a home of its own. It is a test as well: every expectation is written down, and all of them must hold.
"""

from tradeveil.demo.cli import demo_command

__all__ = ["demo_command"]
