"""How the starter is made and how good it is: never part of the wheel, never imported by it."""
