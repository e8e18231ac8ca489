"""The handlers of photos: upload, and the images."""
