"""The owner of a partition: takes commands, decides, appends, answers."""
