"""What the product is measured with: a large company, and references that are timed in the same run."""
