"""The agent loop and its parts: context, opening, run, schedule, guard, budget, answers."""
