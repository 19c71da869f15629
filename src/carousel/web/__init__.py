"""Addresses to listen on, and who may speak to them: shared by the board and the server."""
