class ExportError(Exception):
    """An export that cannot be made. The message says why and what to do."""
