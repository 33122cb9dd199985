"""Pictures as pixels and as bytes: decoding, PNG, resizing and blurring, contact sheets."""
