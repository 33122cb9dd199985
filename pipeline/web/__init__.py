"""The HTTP client, its manners and its pace: the only socket out."""
