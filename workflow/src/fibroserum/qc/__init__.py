"""Quality control: metrics, components, distances, and checks that recommend and drop nothing."""
