"""What a store holds, told to a user: counts, near-duplicates, a contact sheet."""
