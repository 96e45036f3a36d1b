"""What the shell is offered while a command is typed."""
