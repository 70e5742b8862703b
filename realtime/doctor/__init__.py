"""`--doctor`: looks at all that a run would use, one after the other, and says what is wrong."""
