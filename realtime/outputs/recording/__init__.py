"""Events as MP4 files."""
