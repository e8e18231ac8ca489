"""Generated covers, for the pages of all contexts: the drawing as classes, its style sheet, its template."""
