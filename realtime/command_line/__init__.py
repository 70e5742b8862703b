"""The program: flags and settings file to one configuration, a run, its screen, its exit code."""
