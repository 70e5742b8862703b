"""What an export cannot do: one sentence each."""


class ExportError(Exception):
    """What was wanted, what came, what to do."""
