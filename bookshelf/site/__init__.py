"""The frame of all web sites: pages of functions and templates, with forms, languages and live updates.

It contains nothing of any context; docs/site.md describes how a page is added.
"""
