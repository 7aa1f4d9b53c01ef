"""One function per verb, each taking an Actor; api, planner and command line are doors to it."""
