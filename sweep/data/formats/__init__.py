"""Files as users have them: what each format says, read and checked; nothing of stores."""
