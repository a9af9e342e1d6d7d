"""The agent: loop, context, guard, budgets, project instructions."""
