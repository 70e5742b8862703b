"""The only package of `realtime` that knows torch: features as they come, the window, MAFnet."""
