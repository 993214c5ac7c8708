"""Quality control: metrics, components, distances, checks."""
