"""What a store holds and what artifacts make of it, shown: counts, near-duplicates, sheets."""
