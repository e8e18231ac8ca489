"""The handlers of files: upload, download, deletion."""
