"""From stored code to folders that instances run from."""
