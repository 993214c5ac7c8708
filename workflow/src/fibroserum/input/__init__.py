"""Reading what a user writes: config, sample sheets and tables; every problem of them in words."""
