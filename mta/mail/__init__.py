"""The nouns: values that rooms hand to each other. No behaviour beyond looking at themselves."""
