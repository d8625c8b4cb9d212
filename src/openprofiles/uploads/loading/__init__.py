"""The steps of a job, which a loader runs: those of a load, of a preview and of an undo."""
