"""What effects are allowed, and running commands."""
