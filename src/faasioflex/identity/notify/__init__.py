"""Drivers of the notification port: SMTP, and a folder of files where there is none."""
