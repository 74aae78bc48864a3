"""What notebooks use to show things: figures, tables, images and sentences."""
