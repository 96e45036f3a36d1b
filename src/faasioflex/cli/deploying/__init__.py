"""What ``ffx deploy`` does: the document, the sending, the waiting."""
