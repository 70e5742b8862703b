"""Where edges are let in: who may, what each may cost, its clock, and its samples decoded."""
