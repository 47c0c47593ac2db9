"""What the service says of itself: its problem types one by one, and a page that shows its description, without internet."""
