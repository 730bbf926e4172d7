"""A dataset of the user's, any object that gives images by number, and the plan of its store."""
